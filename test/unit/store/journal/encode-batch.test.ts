import fc from "fast-check";
import { expect, test } from "vitest";
import type { JournalRecord } from "../../../../src/engine/machine/records.ts";
import type { OutboxRow } from "../../../../src/engine/ports/bus/outbox.ts";
import type { StartRow, Transition } from "../../../../src/engine/ports/journal.ts";
import type { ApprovalRow } from "../../../../src/engine/runs/projections/approvals.ts";
import type { DeadLetterRow } from "../../../../src/engine/runs/projections/dead-letters.ts";
import { createSortingStatements } from "../../../../src/store/journal/commit-statement.ts";
import { type EncodedBatch, encodeSorting, encodeWhole, isPlain } from "../../../../src/store/journal/encode-batch.ts";
import { TABLES } from "../../../support/projections.ts";
import { headerOf, projected, startTransition, transitionOf } from "../../../support/transitions.ts";

/** Text as people, tools and attackers write it. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\u0001", "a\u0001b", "\0", "\u0001\u0001", "{a,b}", "\\N", "\ud800"),
);

const LEASES = [{ shard: 0, epoch: 1 }];

const SORTING = createSortingStatements(TABLES);

const start = fc.record({
  tenantId: text,
  flowId: text,
  version: text,
  flowHash: text,
  labels: fc.dictionary(text, text, { maxKeys: 2 }),
  userId: text,
  correlationId: text,
  runKey: text,
  parentRunId: text,
  parentTask: text,
  keys: fc.array(fc.record({ kind: fc.constantFrom("request", "run"), key: text, hash: text }), { maxLength: 2 }),
}) as fc.Arbitrary<Partial<StartRow>>;

const approval = fc.record({
  approval: fc.record({
    id: fc.constant(1),
    task: text,
    state: fc.constant("PENDING"),
    parameters: fc.constant({}),
    createdAt: fc.constant(1),
    dueAt: fc.constant(null),
    endedAt: fc.constant(null),
    by: text,
    comment: text,
    data: text,
  }),
  tenantId: text,
  flowId: text,
}) as fc.Arbitrary<ApprovalRow>;

const deadLetter = fc.record({
  taskPath: text,
  generation: fc.constant(0),
  tenantId: text,
  flowId: text,
  attempts: fc.constant(1),
  errorType: text,
  errorMessage: text,
  reason: fc.constant("ATTEMPTS_EXHAUSTED"),
  input: text,
  at: fc.constant(1),
}) as fc.Arbitrary<DeadLetterRow>;

const outbox = fc.record({
  taskPath: text,
  tenantId: text,
  destination: fc.constant("kafka"),
  topic: text,
  key: text,
  kind: fc.constant("event"),
  content: fc.record({ payload: text, headers: text }),
  sequence: fc.constant(1),
  at: fc.constant(1),
}) as fc.Arbitrary<OutboxRow>;

const anyTransition: fc.Arbitrary<Transition> = fc
  .record({
    runId: text,
    start: fc.option(start),
    task: text,
    output: text,
    approvals: fc.array(approval, { maxLength: 2 }),
    deadLetters: fc.array(deadLetter, { maxLength: 2 }),
    outbox: fc.array(outbox, { maxLength: 2 }),
  })
  .map(({ runId, start: row, task, output, approvals, deadLetters, outbox: sent }) => {
    const records: JournalRecord[] = [{ type: "task.completed", at: 1, task, output }];
    const more = { records, rows: projected({ approvals, dead_letters: deadLetters, outbox: sent }) };
    return row === null ? transitionOf(runId, 2, { ...more, header: headerOf() }) : startTransition(runId, row, more);
  });

/** Rows of the columns that a batch is sent as; values of the batch as they are. */
function columnsOf({ values }: EncodedBatch): string[][] {
  return values.map((value) => {
    const sent = String(value);
    return /^\{[-\d.,tf]*\}$/.test(sent) ? sent.slice(1, -1).split(",") : sent.split("\u0001");
  });
}

/** A transition with a value in every column that its form of the statement has. */
function fullTransition(runId: string, isPlainTransition: boolean): Transition {
  const start = {
    labels: { label: runId },
    userId: runId,
    correlationId: runId,
    runKey: isPlainTransition ? "" : runId,
    parentRunId: runId,
    parentTask: runId,
    deadlineAt: 1,
    wakeAt: 1,
    endedAt: 1,
    keys: isPlainTransition ? [] : [{ kind: "run" as const, key: runId, hash: "h" }],
  };
  const header = headerOf({ wakeAt: 1, endedAt: 1 });
  if (isPlainTransition) return startTransition(runId, start, { header });
  const approvals: ApprovalRow[] = [
    {
      approval: {
        id: 1,
        task: runId,
        state: "APPROVED",
        parameters: {},
        createdAt: 1,
        dueAt: 1,
        endedAt: 1,
        by: runId,
        comment: runId,
        data: runId,
      },
      tenantId: runId,
      flowId: runId,
    },
  ];
  const deadLetters: DeadLetterRow[] = [
    {
      taskPath: runId,
      generation: 0,
      tenantId: runId,
      flowId: runId,
      attempts: 1,
      errorType: runId,
      errorMessage: runId,
      reason: "OUT_OF_TIME",
      input: runId,
      at: 1,
    },
  ];
  const outbox: OutboxRow[] = [
    {
      taskPath: runId,
      tenantId: runId,
      destination: "kafka",
      topic: runId,
      key: runId,
      kind: "event",
      content: { payload: runId, headers: {} },
      sequence: 1,
      at: 1,
    },
  ];
  return startTransition(runId, start, {
    header,
    dueAt: 1,
    rows: projected({ approvals, dead_letters: deadLetters, outbox }),
  });
}

/** Encodes as the journal does; a transition with keys or rows for lists makes the batch one that is sorted. */
const encode = (transitions: readonly Transition[]): EncodedBatch =>
  isPlain(transitions) ? encodeWhole(LEASES, transitions) : encodeSorting(SORTING, LEASES, transitions);

const plainTransition = anyTransition.map((transition) => ({
  ...transition,
  start: transition.start === null ? null : { ...transition.start, runKey: "", keys: [] },
  rows: [],
}));

// Columns are texts joined by U+0001: one that held it moved the values of every run behind it, and runs were written
// with the facts of others.
test.each([
  ["written as a whole", true, plainTransition],
  ["sorted", false, anyTransition],
] as const)(
  "no text in a transition changes the row of a neighbour in a batch that is %s: it is carried, replaced, or refused",
  (_, plain, transitions) => {
    const [left, right] = [fullTransition("left", plain), fullTransition("right", plain)];
    const alone = columnsOf(encode([left, right]));
    let refused = 0;
    let carried = 0;
    fc.assert(
      fc.property(transitions, (transition) => {
        let together: string[][];
        try {
          together = columnsOf(encode([left, transition, right]));
        } catch (error) {
          expect((error as Error).message).toMatch(/holds U\+0000 or U\+0001/);
          refused += 1;
          return;
        }
        carried += 1;
        expect(together.length).toBe(alone.length);
        for (const [index, column] of together.entries()) {
          const [first, last] = alone[index] ?? [];
          // Of the leases there is one row, whatever the batch holds, and of values of the batch one.
          if (last === undefined) continue;
          expect(column[0]).toEqual(first);
          expect(column[column.length - 1]).toEqual(last);
          expect(column.join("")).not.toContain("\0");
        }
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(refused, carried)).toBeGreaterThan(100);
  },
);

test("a column ends with its last value that says something: one that no row uses is empty", () => {
  const bare = encodeWhole(LEASES, [startTransition("a"), startTransition("b")]);
  const one = encodeWhole(LEASES, [
    startTransition("a"),
    startTransition("b", { userId: "somebody" }),
    startTransition("c"),
  ]);
  expect(bare.values.filter((value) => value === "" || value === "{}").length).toBeGreaterThan(5);
  expect(one.values.filter((value) => value === "\u0001somebody")).toHaveLength(1);
});
