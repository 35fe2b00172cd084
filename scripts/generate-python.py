"""Protobuf compiler plugin: Python messages, their type stubs and gRPC stubs in one package.

Wraps the compiler of grpcio-tools, then moves the modules of `orchestrator` into the package `orchestrator_client`, so that they
stand beside other people's packages. Types of `google` stay imports of their own distributions.

Beside the package it puts modules for programs that run at the top of a checkout (`gen.python.health_pb2`). They hold the names of
the package's modules and register nothing.
"""

import pathlib
import re
import sys
import tempfile

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from grpc_tools import protoc

PACKAGE = "orchestrator_client"

# Modules beside the package, and the folders of it whose names they hold.
FACES = {"health": "health/v1", "info": "info/v1", "orchestrator": "v1"}

FACES_INIT = '''"""Modules for programs that run at the top of the checkout."""

import importlib.util
import pathlib
import sys

if importlib.util.find_spec("{package}") is None:
    # The client is not installed: the one that lies here is taken.
    sys.path.append(str(pathlib.Path(__file__).parent))
'''


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


def write_faces(response):
    """Adds the modules beside the package."""
    names = sorted(file.name for file in response.file)
    for face, folder in FACES.items():
        for suffix in ("_pb2", "_pb2_grpc"):
            pattern = re.compile(rf"({PACKAGE}/{folder}/\w+{suffix})\.py")
            modules = [found[1].replace("/", ".") for found in map(pattern.fullmatch, names) if found]
            lines = [f"from {module} import *" for module in modules]
            if suffix == "_pb2":
                lines.append("\ndel DESCRIPTOR")  # that of the last file
            content = f'"""Names of {PACKAGE}.{folder.replace("/", ".")}."""\n\n' + "\n".join(lines) + "\n"
            response.file.add(name=f"{face}{suffix}.py", content=content)
    response.file.add(name="__init__.py", content=FACES_INIT.format(package=PACKAGE))


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
        write_faces(response)
    sys.stdout.buffer.write(response.SerializeToString())


main()
