/**
 * Flows that use everything (every trigger rule, failures, retries, signals, timers, approvals, groups, loops,
 * compensation, cancel, pause, owners that die): engine against naive interpreter. A difference is made smaller before
 * it is shown. `DIFFERENTIAL_SEEDS=20000-30000` looks at other seeds than the usual ones.
 */
import { expect, test } from "vitest";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { generateWide } from "../oracle/generate-wide.ts";
import { createRandom } from "../oracle/random.ts";
import { type Case, shrinkCase } from "../oracle/shrink.ts";
import type { Outcome } from "../oracle/world.ts";
import { judgeOutcome } from "./compare.ts";
import { drive, runOnEngine } from "./engine-adapter.ts";

const [FIRST = 1, LAST = 3_000] = (process.env.DIFFERENTIAL_SEEDS ?? "1-3000").split("-").map(Number);
const FLOWS = LAST - FIRST + 1;

test(`${FLOWS} wide flows end on the engine as the interpreter says`, async () => {
  const seen = new Map<string, number>();
  for (let seed = FIRST; seed <= LAST; seed++) {
    const subject = generateWide(seed);
    const { outcome, journal, plan } = await runOnEngine(subject.flow, subject.world);
    const verdict = judgeOutcome(subject.flow, subject.world, outcome);
    if (verdict.kind === "different") expect.fail(await explain(seed, subject));
    count(seen, verdict.kind);
    for (const feature of [...featuresOf(outcome), ...recoveriesOf(journal)]) count(seen, feature);
    // A run that is read from its journal goes on as if it had never left memory.
    const random = createRandom(seed);
    const reopened = drive(plan, subject.world, {}, { interrupt: () => (random.chance(0.3) ? "reopen" : null) });
    expect(reopened.journal, `seed ${seed}, put together again and again`).toEqual(journal);
  }
  const rare = FEATURES.filter((feature) => (seen.get(feature) ?? 0) < FLOWS / 600);
  expect(rare, `seldom or never seen: ${JSON.stringify(Object.fromEntries(seen))}`).toEqual([]);
  expect(seen.get("open") ?? 0).toBeLessThan(FLOWS / 50);
});

/** What the flows must have shown, so that agreement means something. */
const FEATURES = [
  ...["COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT", "RUNNING", "COMPENSATING"].map(
    (phase) => `run ${phase}`,
  ),
  ...["COMPLETED", "FAILED", "CANCELED", "TIMED_OUT", "NOT_TAKEN", "UPSTREAM_FAILED", "COMPENSATED", "WAITING"].map(
    (state) => `task ${state}`,
  ),
  ...[
    "E1",
    "CHILD_FAILED",
    "TIMEOUT",
    "SCHEDULE_TO_CLOSE_TIMEOUT",
    "SCHEDULE_TO_START_TIMEOUT",
    "HEARTBEAT_TIMEOUT",
    "WORKER_LOST",
    "SIGNAL_TIMEOUT",
    "APPROVAL_TIMEOUT",
    "APPROVAL_REJECTED",
    "EXPRESSION_FAILED",
    "MAP_ITEMS_INVALID",
  ].map((type) => `failure ${type}`),
  ...["FINAL_STATE", "NO_TRANSITION", "TRANSITION_LIMIT", "RUN_TIMEOUT"].map((type) => `error ${type}`),
  ...[
    "handled",
    "retried",
    "dead letter",
    "dead compensation",
    "first of several",
    "compensations in order",
    "long path",
    "left-over signal",
    "unfit signal",
    "attempt made again",
    "attempt lost under a hold",
    "attempt lost in a cancel",
  ],
  ...["UNACKNOWLEDGED", "WORKER_LOST", "HANDED_BACK", "WITHDRAWN"].map((reason) => `hand-over ${reason}`),
  "task SCHEDULED",
  "loss of an attempt",
  "takeover with a worker at work",
];

function featuresOf(outcome: Outcome): Set<string> {
  const features = new Set([`run ${outcome.phase}`]);
  if (outcome.error !== null) features.add(`error ${outcome.error.type}`);
  if (outcome.compensations.length > 1) features.add("compensations in order");
  if (outcome.path.length > 3) features.add("long path");
  if (outcome.leftover.length > 0) features.add("left-over signal");
  if (outcome.unfit.length > 0) features.add("unfit signal");
  for (const [path, task] of Object.entries(outcome.tasks)) {
    features.add(`task ${task.reason ?? task.state}`);
    if (task.error !== null) features.add(`failure ${task.error}`);
    if (task.deadLetter) features.add(path.endsWith("~compensate") ? "dead compensation" : "dead letter");
    if (task.handled) features.add("handled");
    if (task.attempts > 1) features.add("retried");
    if (task.first !== null) features.add("first of several");
  }
  return features;
}

/** What became of attempts that died with their owner, and of hand-overs. */
function recoveriesOf(journal: readonly JournalRecord[]): Set<string> {
  const features = new Set<string>();
  const atWork = new Set<string>();
  for (const [index, record] of journal.entries()) {
    const { type } = record;
    if (record.type === "task.returned") features.add(`hand-over ${record.reason}`);
    if (record.type === "task.retrying" && record.error.type === "WORKER_LOST") features.add("loss of an attempt");
    if (record.type === "task.started") atWork.add(record.task);
    else if ("task" in record) atWork.delete(record.task);
    if (type !== "run.recovered") continue;
    if (atWork.size > 0) features.add("takeover with a worker at work");
    const next = journal[index + 1];
    if (next?.type === "task.dispatched") features.add("attempt made again");
    if (next?.type === "task.retrying") features.add("attempt lost under a hold");
    if (next?.type === "task.canceled") features.add("attempt lost in a cancel");
  }
  return features;
}

async function differencesOf({ flow, world }: Case): Promise<string[]> {
  try {
    const verdict = judgeOutcome(flow, world, (await runOnEngine(flow, world)).outcome);
    return verdict.kind === "different" ? verdict.differences : [];
  } catch {
    return []; // a flow that shrinking made senseless is refused; it says nothing
  }
}

async function explain(seed: number, subject: Case): Promise<string> {
  const small = await shrinkCase(subject, async (candidate) => (await differencesOf(candidate)).length > 0);
  const differences = await differencesOf(small);
  return `seed ${seed} differs:\n  ${differences.join("\n  ")}\nflow ${JSON.stringify(small.flow.workflow)}\nworld ${JSON.stringify(small.world)}`;
}

function count(seen: Map<string, number>, what: string): void {
  seen.set(what, (seen.get(what) ?? 0) + 1);
}
