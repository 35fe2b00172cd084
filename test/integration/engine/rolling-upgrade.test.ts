/** Two releases on one database while they change places: what only the newer one reads is not written yet. */
import { expect, onTestFinished, test } from "vitest";
import { FORMAT, JOURNAL_VERSION } from "../../../src/engine/shard/ownership/journal-format.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

/** The version of the next release. */
const NEXT = JOURNAL_VERSION + 1;

test("a new kind of record is not written while an older instance lives, and is when it has gone", async () => {
  const before = { ...FORMAT };
  // This build is the newer release: signals are new in it.
  Object.assign(FORMAT, { version: NEXT, since: { "signal.received": NEXT } });
  onTestFinished(() => void Object.assign(FORMAT, before));
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const instance = await bed.openInstance({ ttlMs: 600 });
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  expect(instance.runtime.format.version).toBe(JOURNAL_VERSION);
  await expect(instance.engine.signalRun(CALLER, runId, "go", null)).rejects.toMatchObject({ code: "RUN_QUARANTINED" });
  await eventually(async () => expect((await bed.stateOf(runId)).holds).toMatchObject([{ kind: "quarantine" }]));
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [NEXT]);
  await eventually(() => expect(instance.runtime.format.version).toBe(NEXT));
  await instance.engine.resumeRun(CALLER, runId, ["quarantine"], "all are new");
  expect((await instance.engine.signalRun(CALLER, runId, "go", null)).state.phase).toBe("COMPLETED");
});
