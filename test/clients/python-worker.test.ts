import { beforeAll, describe, expect, test } from "vitest";
import { HERE, runProgram } from "./programs.ts";
import { PYTHON_MISSING, preparePython } from "./python-environment.ts";
import { declareScenarios } from "./workers/scenarios.ts";

describe.skipIf(PYTHON_MISSING)("the Python worker", () => {
  let interpreter: string;
  beforeAll(async () => {
    interpreter = await preparePython("newest", ["protobuf>=7"]);
  }, 240_000);

  declareScenarios(
    () => ({ command: interpreter, args: ["-W", "error", `${HERE}python/worker.py`], cwd: HERE }),
    ["wait", "wait_async"],
  );

  test("its handlers run without a service", async () => {
    expect(await runProgram(interpreter, ["-W", "error", `${HERE}python/worker_testing.py`])).toBe("ok\n");
  });
});
