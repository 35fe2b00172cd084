/** Decisions of people across crashes and races, on the real store. */
import { expect, test } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();
const NEVER = new AbortController().signal;
const YES = { approved: true, comment: "yes", data: { a: 1 } };

const rowsOf = (runId: string) =>
  bed.sql<{ approval_id: number; state: string }>(
    "SELECT approval_id, state FROM orchestrator.approvals WHERE run_id = $1 ORDER BY approval_id",
    [runId],
  );

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "OK";
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return error.code;
  }
}

test("a decision outlives the instance that took it: the next one repeats it and refuses others", async () => {
  await bed.register("pair", [
    { id: "ask", type: "approval", parameters: { title: "?" } },
    { id: "more", type: "approval", depends_on: ["ask"], parameters: { title: "?" } },
  ]);
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("pair"), 0);
  const { runId } = run.state;
  const id = await bed.openApprovalOf(runId);
  await first.engine.decideApproval(CALLER, runId, id, YES);
  await first.crash();
  const second = await bed.openInstance();
  const { state } = await second.engine.decideApproval({ ...CALLER, actor: "other" }, runId, id, YES);
  expect(state.approvals.get(id)).toMatchObject({ state: "APPROVED", by: "tester", comment: "yes", data: { a: 1 } });
  expect(await codeOf(second.engine.decideApproval(CALLER, runId, id, { ...YES, comment: "no" }))).toBe(
    "APPROVAL_DECIDED",
  );
  const next = await bed.openApprovalOf(runId);
  expect(await rowsOf(runId)).toEqual([
    { approval_id: id, state: "APPROVED" },
    { approval_id: next, state: "PENDING" },
  ]);
  await second.engine.decideApproval(CALLER, runId, next, YES);
  // The run has ended by that decision, which is answered again all the same.
  expect((await second.engine.decideApproval(CALLER, runId, next, YES)).state.phase).toBe("COMPLETED");
  expect(await codeOf(second.engine.decideApproval(CALLER, runId, next, { ...YES, approved: false }))).toBe(
    "APPROVAL_DECIDED",
  );
});

test("a decision and the end of the time race: one of them counts, and the caller is told which", async () => {
  await bed.register("brief", [
    { id: "ask", type: "approval", timeout: "400ms", on_reject: "continue", parameters: { title: "?" } },
    { id: "hold", type: "signal", depends_on: ["ask"] },
  ]);
  const { engine, runtime } = await bed.openInstance();
  const race = async (afterDueMs: number): Promise<string> => {
    const { run } = await engine.startRun(CALLER, startOf("brief"), 0);
    const { runId } = run.state;
    const id = run.state.tasks.get("ask")?.token ?? 0;
    const dueAt = run.state.approvals.get(id)?.dueAt ?? expect.unreachable();
    await eventually(() => expect(runtime.clock.now()).toBeGreaterThanOrEqual(dueAt + afterDueMs), { intervalMs: 1 });
    const code = await codeOf(engine.decideApproval(CALLER, runId, id, YES));
    const ended = (await bed.recordsOf(runId)).flatMap((record) => (record.type === "approval.ended" ? [record] : []));
    expect(ended).toMatchObject([{ state: code === "OK" ? "APPROVED" : "EXPIRED" }]);
    expect(await rowsOf(runId)).toEqual([{ approval_id: id, state: ended[0]?.state }]);
    const state = await bed.stateOf(runId);
    expect(state.approvals.get(id)?.state).toBe(ended[0]?.state);
    expect(state.tasks.get("ask")?.output).toMatchObject({ decision: code === "OK" ? "approved" : "expired" });
    return code;
  };
  const moments = [-400, -200, -60, -40, -30, -20, -15, -10, -5, 0, 5, 10, 20, 40, 200];
  const codes = await Promise.all([...moments, ...moments].map(race));
  expect(new Set(codes)).toEqual(new Set(["OK", "APPROVAL_DECIDED"]));
});

// Cause: in memory the time was over, and the store refused that timer as early; the decision must not be told of an
// end that never was.
test("a decision that meets an early timer is taken", async () => {
  await bed.register("long", [{ id: "ask", type: "approval", timeout: "1h", parameters: { title: "?" } }]);
  const instance = await bed.openInstance();
  const { run } = await instance.engine.startRun(CALLER, startOf("long"), 0);
  const { runId } = run.state;
  const resident = instance.runs.residence.residents.get(runId);
  const task = resident?.entity.state.tasks.get("ask");
  if (resident === undefined || task === undefined) throw new Error("the run is not in memory");
  instance.runtime.submission.post(resident, { type: "due", at: task.dueAt ?? 0, random: 0 });
  const { state } = await instance.engine.decideApproval(CALLER, runId, task.token, YES);
  expect(state.approvals.get(task.token)?.state).toBe("APPROVED");
  expect((await instance.engine.waitRun(CALLER, runId, 5_000, NEVER)).state.phase).toBe("COMPLETED");
});

test("an approval that nobody decides is canceled with its run", async () => {
  await bed.register("left", [{ id: "ask", type: "approval", parameters: { title: "?" } }]);
  const { engine } = await bed.openInstance();
  for (const end of ["cancel", "terminate"] as const) {
    const { run } = await engine.startRun(CALLER, startOf("left"), 0);
    const { runId } = run.state;
    const id = await bed.openApprovalOf(runId);
    await (end === "cancel" ? engine.cancelRun(CALLER, runId, "", false) : engine.terminateRun(CALLER, runId, ""));
    expect(await rowsOf(runId)).toEqual([{ approval_id: id, state: "CANCELED" }]);
    const { state } = await engine.getRun(CALLER, runId);
    expect(state.approvals.get(id)).toMatchObject({ state: "CANCELED", by: "" });
    expect(await codeOf(engine.decideApproval(CALLER, runId, id, YES))).toBe("APPROVAL_DECIDED");
  }
});
