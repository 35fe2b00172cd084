import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { createFileFolder } from "../support/temporary-folder.ts";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { HERE, runProgram } from "./programs.ts";
import { declareScenarios } from "./workers/scenarios.ts";

describe.skipIf(GO_MISSING)("the Go worker", () => {
  const folder = createFileFolder();
  const program = join(folder, "worker-program");
  beforeAll(async () => {
    copyGoModule(`${HERE}go`, folder);
    await runProgram(GO, ["build", "-o", program, "./worker"], { cwd: folder });
  }, 240_000);

  declareScenarios(() => ({ command: program, args: [], cwd: folder }));

  test("its handlers run without a service", async () => {
    expect(await runProgram(GO, ["test", "./worker-testing"], { cwd: folder })).toMatch(/^ok /);
  });
});
