"""Protobuf compiler plugin: Python messages, their type stubs and gRPC stubs in one package.

Wraps the compiler of grpcio-tools, then moves the modules of `orchestrator` into the package `orchestrator_client`, so that they
stand beside other people's packages. Types of `google` stay imports of their own distributions.
"""

import pathlib
import re
import sys
import tempfile

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from grpc_tools import protoc

PACKAGE = "orchestrator_client"


def compile_files(request, out):
    """Writes what the compiler makes of the requested files into the folder `out`."""
    image = out / "image.binpb"
    image.write_bytes(descriptor_pb2.FileDescriptorSet(file=request.proto_file).SerializeToString())
    flags = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"--descriptor_set_in={image}", *flags, *request.file_to_generate]) != 0:
        raise SystemExit("the Python compiler failed")
    image.unlink()


def move_imports(text):
    """Points imports of `orchestrator` modules into the package."""
    text = re.sub(r"^from orchestrator\.v1 import", f"from {PACKAGE}.v1 import", text, flags=re.M)
    return re.sub(r"^from orchestrator\.(\w+)\.v1 import", rf"from {PACKAGE}.\1.v1 import", text, flags=re.M)


def main():
    """Answers the request on standard input."""
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = plugin_pb2.CodeGeneratorResponse(supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        compile_files(request, out)
        folders = {PACKAGE}
        for path in sorted(out.rglob("*.py*")):
            if path.name.endswith("_grpc.py") and "\nclass " not in path.read_text():
                continue  # a file without a service
            name = PACKAGE + "/" + path.relative_to(out / "orchestrator").as_posix()
            folders.update(parent.as_posix() for parent in pathlib.PurePosixPath(name).parents if parent.name)
            response.file.add(name=name, content=move_imports(path.read_text()))
        for name in sorted(folders):
            response.file.add(name=f"{name}/__init__.py", content='"""Generated client of Orchestrator."""\n')
        response.file.add(name=f"{PACKAGE}/py.typed", content="")
    sys.stdout.buffer.write(response.SerializeToString())


main()
