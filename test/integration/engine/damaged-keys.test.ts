/** Keys of starts and tombstones that somebody else wrote, or a disk lost. */
import { expect, test } from "vitest";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startOf } from "../../support/start-of.ts";
import { type Answered, createCaller } from "./api-caller.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();
const { method: runs } = RunService;

const TEXTS = ["''", "'x'", "'1'", "repeat('y', 5000)", "E'a\\x01b'", "'null'", "NULL"];
const TIMES = ["'infinity'", "'-infinity'", "'epoch'", "'0044-03-15 BC'", "'20000-01-01'", "NULL"];

// Cause: the time of a tombstone was printed as it came; one that no date can be failed every call about the run as
// INTERNAL.
test("a damaged start key or tombstone costs the calls that name it", { timeout: 120_000 }, async () => {
  await bed.register("ended", [{ id: "s", type: "noop", parameters: { output: 1 } }]);
  const instance = await bed.openInstance();
  const ask = createCaller(instance.engine, bed.database);
  const start = (requestId: string, runId = "") => ask(runs.startRun, { flowId: "ended", requestId, runId });
  const deleted = (await instance.engine.startRun(CALLER, startOf("ended"), 10_000)).run.state.runId;
  expect((await ask(runs.deleteRun, { runId: deleted })).code).toBe("OK");
  const codes = new Set<string>();
  let count = 0;
  const judgeKey = async (kind: string, change: string, calls: (key: string) => readonly Promise<Answered>[]) => {
    count += 1;
    const key = kind === "deleted" ? deleted : `key-${count}`;
    if (kind === "request") await start(key);
    if (kind === "run") await start("", key);
    const sql = `UPDATE orchestrator.starts SET ${change} WHERE kind = $1 AND key = $2`;
    const isDamaged = await bed.sql(sql, [kind, key]).then(
      () => true,
      // The table refuses the value.
      () => false,
    );
    if (!isDamaged) return;
    for (const { code, json } of await Promise.all(calls(key))) {
      codes.add(code);
      // What the key names is not there, or not the caller's: that is what the call says.
      const isFair = /^(OK|RUN_NOT_FOUND|RUN_UNREADABLE|RUN_DELETED|RUN_ALREADY_EXISTS|REQUEST_ID_REUSED)$/.test(code);
      expect(isFair ? "" : `${kind}: ${change}: ${code} (${json})`).toBe("");
    }
    expect((await start(`other-${count}`)).code).toBe("OK");
  };
  for (const value of TEXTS)
    for (const column of ["run_id", "request_hash"]) {
      await judgeKey("request", `${column} = ${value}`, (key) => [start(key)]);
      await judgeKey("run", `${column} = ${value}`, (key) => [start("", key)]);
    }
  for (const value of TIMES) {
    const change = `created_at = ${value}`;
    await judgeKey("request", change, (key) => [start(key)]);
    await judgeKey("deleted", change, (runId) => [
      ask(runs.getRun, { runId }),
      ask(runs.deleteRun, { runId }),
      ask(runs.signalRun, { runId, signalName: "s" }),
      ask(runs.watchRun, { runId }),
    ]);
  }
  expect([...codes]).toEqual(expect.arrayContaining(["OK", "RUN_NOT_FOUND", "RUN_DELETED", "REQUEST_ID_REUSED"]));
});
