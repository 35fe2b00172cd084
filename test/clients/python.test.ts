import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFlowReport, HERE, ROOT, readSnippet, runProgram } from "./programs.ts";
import { PYTHON_MISSING, preparePackages, preparePython } from "./python-environment.ts";
import { openTestService, SERVICE_MISSING, type TestService } from "./service.ts";

/** Oldest versions that the package allows, and the newest that there are. */
const SETS = [
  {
    name: "oldest",
    pins: ["protobuf==6.30.0", "grpcio==1.72.2", "googleapis-common-protos==1.70.0"],
    protobuf: /^6\.30\.0$/,
  },
  { name: "newest", pins: ["protobuf>=7"], protobuf: /^7\./ },
];

/** Imports every module of the package beside strangers that own `orchestrator` and `health/v1/health.proto`. */
const BESIDE = `
import importlib, importlib.util, pathlib, pkgutil, sys, types
from google.protobuf import __version__, descriptor_pb2, descriptor_pool
stranger = types.ModuleType("orchestrator"); stranger.mine = True; sys.modules["orchestrator"] = stranger
file = descriptor_pb2.FileDescriptorProto(name="health/v1/health.proto", package="health.v1")
file.message_type.add(name="HealthCheckRequest")
descriptor_pool.Default().Add(file)
import orchestrator_client
names = [m.name for m in pkgutil.walk_packages(orchestrator_client.__path__, "orchestrator_client.")]
for name in names: importlib.import_module(name)
assert sys.modules["orchestrator"].mine
assert importlib.util.find_spec("buf") is None
assert not any(name.startswith("google.api") for name in sys.modules)
assert (pathlib.Path(orchestrator_client.__file__).parent / "py.typed").exists()
assert (pathlib.Path(orchestrator_client.__file__).parent / "v1" / "run_pb2.pyi").exists()
from orchestrator_client.v1 import run_service_pb2
r = run_service_pb2.StartRunRequest(flow_id="a", labels={"k": "v"}); r.input.update({"n": 1})
assert run_service_pb2.StartRunRequest.FromString(r.SerializeToString()) == r
print(__version__, len(names))
`;

/** What differs between the modules at the top of a checkout and the package: names that one of them lacks. */
const FACES = `
import importlib, json, pathlib
import gen.python.health_pb2, gen.python.info_pb2, gen.python.orchestrator_pb2, gen.python.health_pb2_grpc
from google.protobuf import descriptor_pool
import orchestrator_client
package = pathlib.Path(orchestrator_client.__file__).parent
differing = []
for face, folder in {"health": "health/v1", "info": "info/v1", "orchestrator": "v1"}.items():
    for suffix in ("_pb2", "_pb2_grpc"):
        faced = importlib.import_module(f"gen.python.{face}{suffix}")
        for path in sorted((package / folder).glob(f"*{suffix}.py")):
            module = importlib.import_module("orchestrator_client." + f"{folder}/{path.stem}".replace("/", "."))
            names = [n for n in vars(module) if n[0].isupper() and n not in ("DESCRIPTOR", "GRPC_GENERATED_VERSION", "GRPC_VERSION")]
            if not names: differing.append(f"{path.stem} is empty")
            differing += [f"{path.stem}.{n}" for n in names if getattr(faced, n, None) is not getattr(module, n)]
    try: descriptor_pool.Default().FindFileByName(f"{face}.proto"); differing.append(f"{face}.proto is registered")
    except KeyError: pass
print(json.dumps(differing))
`;

describe.skipIf(PYTHON_MISSING).each(SETS)("the Python client with the $name protobuf", ({ name, pins, protobuf }) => {
  let interpreter: string;
  beforeAll(async () => {
    interpreter = await preparePython(name, pins);
  }, 240_000);

  test("is installed from its folder and needs nothing that it does not name", async () => {
    await runProgram(interpreter, ["-m", "pip", "check", "--disable-pip-version-check"]);
  });

  test("imports beside other people's packages, without warnings", async () => {
    const [version = "", count = "0"] = (await runProgram(interpreter, ["-W", "error", "-c", BESIDE])).split(" ");
    expect(version).toMatch(protobuf);
    expect(Number(count)).toBeGreaterThan(15);
  });

  describe.skipIf(SERVICE_MISSING)("against a service", () => {
    let service: TestService;
    beforeAll(async () => {
      service = await openTestService();
    });
    afterAll(() => service?.close());

    test("the published snippet runs at the top of the checkout, with the client installed or not", async () => {
      // What the package brings, without the package.
      const bare = await preparePackages(`${name}-bare`, ["grpcio", "googleapis-common-protos", ...pins]);
      for (const python of [interpreter, bare])
        expect(await runProgram(python, ["-c", readSnippet("python", service.address)], { cwd: ROOT })).toBe("1\n");
    });

    test("the modules of the checkout hold the names of the package and register nothing of their own", async () => {
      expect(JSON.parse(await runProgram(interpreter, ["-W", "error", "-c", FACES], { cwd: ROOT }))).toEqual([]);
    });

    test("reads the details of long errors that are not ASCII", async () => {
      // Trailers beyond 16 KB make this client drop all details; a Chinese character took nine bytes in each of three
      // places.
      const env = { ORCHESTRATOR_TEST_ADDR: service.address };
      const errors = JSON.parse(await runProgram(interpreter, [`${HERE}python/long_errors.py`], { env }));
      expect(errors).toMatchObject([
        { code: "INVALID_ARGUMENT", reason: "FLOW_INVALID", same: true },
        { code: "INVALID_ARGUMENT", reason: "FILTER_INVALID", violations: 1, same: true },
        { reason: expect.stringMatching(/^(RUN_NOT_FOUND|INVALID_REQUEST)$/), same: true },
      ]);
      expect(errors[0].violations).toBeGreaterThanOrEqual(2);
    });

    test("registers, starts, waits and watches", async () => {
      const env = { ORCHESTRATOR_TEST_ADDR: service.address };
      const report = checkFlowReport(
        await runProgram(interpreter, [`${HERE}python/flow.py`, `${HERE}flow.yaml`], { env }),
      );
      expect(report).toMatchObject({ code: "NOT_FOUND", reason: "FLOW_NOT_FOUND" });
    });
  });
});
