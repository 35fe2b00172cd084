/**
 * A worker in Go that does what no worker should: each attack costs the attacker, and no task, run, or other worker.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { HERE, runProgram } from "./programs.ts";

const FLOW = {
  id: "attacked",
  version: "1",
  workflow: {
    tasks: [{ id: "only", type: "worker", parameters: { handler: "attacked" } }],
    output: "${only.output}",
  },
};

/** A service of its own, with the flow. A worker that has left is lost soon. */
async function serve(): Promise<ServeProcess> {
  const env = { ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "4s", ORCHESTRATOR_LOG_FORMAT: "json" };
  const service = await startServe({ folder: createTemporaryFolder(), env });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  const body = JSON.stringify({ source: JSON.stringify(FLOW) });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`http://${service.address}/v1/flows`, { method: "POST", headers, body });
  expect(answer.status).toBe(200);
  return service;
}

describe.skipIf(GO_MISSING)("a Go worker that attacks", () => {
  const folder = createFileFolder();
  const program = join(folder, "attack-program");
  beforeAll(async () => {
    copyGoModule(`${HERE}go`, folder);
    await runProgram(GO, ["build", "-o", program, "./attack"], { cwd: folder });
  }, 240_000);

  test("gets what it deserves, and every run ends once, by a worker that had its task", {
    timeout: 240_000,
  }, async () => {
    const [service, other] = [await serve(), await serve()];
    const env = { ORCHESTRATOR_TEST_ADDR: service.address, ORCHESTRATOR_TEST_OTHER: other.address };
    const lines = (await runProgram(program, [], { env })).trim().split("\n");
    type Line = { readonly attack: string; readonly outcomes: readonly string[] };
    const all = lines.map((line) => JSON.parse(line) as Line);
    const outcomes = Object.fromEntries(all.map((one) => [one.attack, one.outcomes]));
    expect(outcomes).toEqual({
      double: ["ACCEPTED", "ACCEPTED", "ALREADY_REPORTED", "0", "COMPLETED 1"],
      late: ["ACCEPTED", "OUTDATED", "ACCEPTED", "true", 'COMPLETED "in time"'],
      forged: ["0", "UNKNOWN", "ACCEPTED", 'COMPLETED "real"'],
      foreign: ["UNKNOWN", "UNKNOWN", 'COMPLETED "here"', 'COMPLETED "there"'],
      "wrong session": [
        ...["NotFound", "NotFound", "NotFound", "NotFound", "NotFound", "NotFound"],
        ...["ACCEPTED", 'COMPLETED "by whoever holds the token"'],
      ],
      "too much": [
        ...["REFUSED", "REFUSED", "REFUSED", "REFUSED", "REFUSED"],
        ...["InvalidArgument", "REFUSED", "0", "InvalidArgument", "ACCEPTED", 'COMPLETED "heard"'],
      ],
      "never reads": ["50 of 50"],
      "a thousand streams": ["200 of 200"],
      "hangs up": ["0", "ACCEPTED", 'COMPLETED "whole"'],
    });
    // One process has borne all of it.
    expect(service.child.exitCode).toBeNull();
    expect(service.output()).not.toMatch(/"level":"(error|fatal)"/);
  });
});
