/** The demo of workers, as `make demo-workers` runs it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { GO_MISSING } from "./go-environment.ts";
import { ROOT, runProgram } from "./programs.ts";
import { PYTHON_MISSING } from "./python-environment.ts";

describe.skipIf(PYTHON_MISSING || GO_MISSING)("make demo-workers", () => {
  test("a worker is killed on the way, and all runs complete", async () => {
    expect(readFileSync(`${ROOT}Makefile`, "utf8")).toMatch(
      /^demo-workers:.*\n.*node examples\/workers\/demo\/main\.ts$/m,
    );
    const output = await runProgram(process.execPath, ["examples/workers/demo/main.ts"]);
    expect(output).toContain(
      'Started 30 runs. Each asks for one photo to be developed; both workers take them from the queue "photos".',
    );
    expect(output).toContain("Killed the Python worker (kill -9) while it was working");
    expect(output).toMatch(/^The Go worker did again what the Python worker had not finished: photos \d+/m);
    expect(output).toMatch(/^All 30 runs completed\.$/m);
    const [, python, go] = /^The Python worker developed (\d+) photos, the Go worker (\d+)\.$/m.exec(output) ?? [];
    expect(Number(python) + Number(go)).toBe(30);
    expect(Number(go)).toBeGreaterThan(0);
  });
});
