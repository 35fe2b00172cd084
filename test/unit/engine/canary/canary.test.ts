/** Canaries, on small fakes of the store and the engine. */
import { describe, expect, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { type Log, silentLog } from "../../../../src/base/log.ts";
import { Canary, type CanaryOutcome } from "../../../../src/engine/canary/canary.ts";
import type { StartRequest, StartResult } from "../../../../src/engine/ports/run-control.ts";

const NEVER = new AbortController().signal;

/** What a run looks like when its start is answered. */
type Answer = (request: StartRequest) => { phase: string; output?: unknown; endedAt: number };

const completes: Answer = ({ input }) => ({ phase: "COMPLETED", output: input["text"], endedAt: 1 });

function openBed() {
  const rows = new Set<string>();
  /** Which canary a row names. */
  const names = new Map<string, string | undefined>();
  const outcomes: CanaryOutcome[] = [];
  const lost: (number | null)[] = [];
  const errors: unknown[] = [];
  const bed = {
    rows,
    names,
    outcomes,
    lost,
    errors,
    onDuty: true,
    now: 0,
    answer: completes,
    isAway: false,
    removals: 0,
  };
  const log: Log = { ...silentLog, error: (_, fields) => void errors.push(fields?.["runId"]) };
  const create = () =>
    new Canary({
      store: {
        look: async (acknowledged) => {
          if (bed.isAway) throw toError("STORE_UNAVAILABLE", { problem: "it is away" });
          const named = [...rows].flatMap((row) => names.get(row) ?? []);
          const missing = [...new Set([...acknowledged, ...named])].filter((id) => !rows.has(id));
          return { newest: [...rows].at(-1) ?? null, lost: missing };
        },
        removeOld: async () => {
          bed.removals += 1;
          return 0;
        },
      },
      control: {
        startRun: async (_caller, request) => {
          if (bed.isAway) throw toError("STORE_UNAVAILABLE", { problem: "it is away" });
          const runId = `run-${rows.size + errors.length + 1}`;
          rows.add(runId);
          names.set(runId, request.labels["orchestrator.dev/canary-after"]);
          return { run: { state: { runId, ...bed.answer(request) } }, started: true } as unknown as StartResult;
        },
      },
      builtIns: { use: async () => ({ flowId: "orchestrator-canary", version: "builtin-1" }), forget() {} },
      isOnDuty: () => bed.onDuty,
      observer: { ended: (outcome) => outcomes.push(outcome), lost: (count) => lost.push(count) },
      clock: { now: () => bed.now, monotonic: () => bed.now },
      log,
    });
  return Object.assign(bed, { create });
}

test("a canary that completes with its text is a success, and the next one names it", async () => {
  const bed = openBed();
  const canary = bed.create();
  await canary.turn(NEVER);
  await canary.turn(NEVER);
  expect(bed.outcomes).toEqual(["success", "success"]);
  expect(bed.lost).toEqual([0, 0]);
  expect([...bed.names.values()]).toEqual([undefined, "run-1"]);
});

describe("what is no success", () => {
  test.each<[CanaryOutcome, Answer]>([
    ["late", () => ({ phase: "RUNNING", endedAt: 0 })],
    ["failed", () => ({ phase: "COMPLETED", output: null, endedAt: 1 })],
    ["failed", () => ({ phase: "TIMED_OUT", endedAt: 1 })],
  ])("%s", async (outcome, answer) => {
    const bed = openBed();
    bed.answer = answer;
    await bed.create().turn(NEVER);
    expect(bed.outcomes).toEqual([outcome]);
  });

  test("not_started: it was not acknowledged, so that it is not looked for", async () => {
    const bed = openBed();
    const canary = bed.create();
    bed.isAway = true;
    await canary.turn(NEVER);
    bed.isAway = false;
    await canary.turn(NEVER);
    expect(bed.outcomes).toEqual(["not_started", "success"]);
    expect(bed.lost).toEqual([0]);
  });
});

test("a database that fell back behind an acknowledgement: this instance remembers it, for an hour, and says it once", async () => {
  const bed = openBed();
  const canary = bed.create();
  await canary.turn(NEVER);
  bed.rows.delete("run-1");
  await canary.turn(NEVER);
  await canary.turn(NEVER);
  expect(bed.lost).toEqual([0, 1, 1]);
  expect(bed.errors).toEqual(["run-1"]);
});

test("an instance that died: its successor knows from the rows what was acknowledged", async () => {
  const bed = openBed();
  const first = bed.create();
  await first.turn(NEVER);
  await first.turn(NEVER);
  bed.rows.delete("run-1");
  await bed.create().turn(NEVER);
  expect(bed.lost.at(-1)).toBe(1);
  expect(bed.errors).toEqual(["run-1"]);
});

test("a successor continues the chain", async () => {
  const bed = openBed();
  await bed.create().turn(NEVER);
  await bed.create().turn(NEVER);
  expect(bed.names.get("run-2")).toBe("run-1");
});

test("after an hour an acknowledged canary is not looked for", async () => {
  const bed = openBed();
  const canary = bed.create();
  await canary.turn(NEVER);
  bed.rows.clear();
  bed.now = 3_600_001;
  await canary.turn(NEVER);
  expect(bed.lost.at(-1)).toBe(0);
});

test("an instance that is not on duty starts none and shows no number", async () => {
  const bed = openBed();
  bed.onDuty = false;
  await bed.create().turn(NEVER);
  expect([bed.outcomes, bed.lost]).toEqual([[], [null]]);
});

test("a service that stops counts no canary", async () => {
  const bed = openBed();
  const stop = new AbortController();
  bed.answer = () => {
    stop.abort();
    return { phase: "RUNNING", endedAt: 0 };
  };
  await bed.create().turn(stop.signal);
  expect(bed.outcomes).toEqual([]);
});

test("old ones are removed once an hour", async () => {
  const bed = openBed();
  const canary = bed.create();
  for (const now of [0, 60_000, 3_540_000, 3_600_000]) {
    bed.now = now;
    await canary.turn(NEVER);
  }
  expect(bed.removals).toBe(2);
});
