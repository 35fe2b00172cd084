import fc from "fast-check";
import { expect, test } from "vitest";
import type { ApprovalRow, DeadLetterRow, Move, OutboxRow, StartRow } from "../../../src/engine/journal.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import { encodeBatch } from "../../../src/store/journal-encode.ts";
import { headerOf, moveOf, startMove } from "../../support/moves.ts";

/** Text as people, tools and attackers write it. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\u0001", "a\u0001b", "\0", "\u0001\u0001", "{a,b}", "\\N", "\ud800"),
);

const LEASES = [{ shard: 0, epoch: 1 }];

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
  taskPath: text,
  tenantId: text,
  flowId: text,
  state: fc.constant("PENDING"),
  parameters: text,
  createdAt: fc.constant(1),
  dueAt: fc.constant(null),
  decidedAt: fc.constant(null),
  decidedBy: text,
  comment: text,
  data: text,
}) as fc.Arbitrary<ApprovalRow>;

const deadLetter = fc.record({
  taskPath: text,
  generation: fc.constant(0),
  tenantId: text,
  flowId: text,
  attempts: fc.constant(1),
  errorType: text,
  errorMessage: text,
  input: text,
  at: fc.constant(1),
}) as fc.Arbitrary<DeadLetterRow>;

const outbox = fc.record({
  taskPath: text,
  tenantId: text,
  topic: text,
  key: text,
  payload: text,
  at: fc.constant(1),
}) as fc.Arbitrary<OutboxRow>;

const anyMove: fc.Arbitrary<Move> = fc
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
    const more = { records, approvals, deadLetters, outbox: sent };
    return row === null ? moveOf(runId, 2, { ...more, header: headerOf() }) : startMove(runId, row, more);
  });

/** Rows of the columns that a batch is sent as. */
function columnsOf(moves: readonly Move[]): string[][] {
  const columns: string[][] = [];
  for (const value of encodeBatch(LEASES, moves).values) {
    const sent = String(value);
    if (sent.startsWith("\u0001")) columns.push(sent.slice(1).split("\u0001"));
    else if (sent.startsWith("{")) columns.push(sent.slice(1, -1).split(","));
  }
  return columns;
}

const full = (runId: string): Move =>
  startMove(
    runId,
    { keys: [{ kind: "run", key: runId, hash: "h" }] },
    {
      header: headerOf(),
      approvals: [{ ...(fc.sample(approval, { numRuns: 1, seed: 1 })[0] as ApprovalRow), taskPath: runId }],
      deadLetters: [{ ...(fc.sample(deadLetter, { numRuns: 1, seed: 1 })[0] as DeadLetterRow), taskPath: runId }],
      outbox: [{ ...(fc.sample(outbox, { numRuns: 1, seed: 1 })[0] as OutboxRow), taskPath: runId }],
    },
  );

// Columns are texts joined by U+0001: one that held it moved the values of every run behind it, and runs were written with the facts of others.
test("no text in a move changes the row of a neighbour: it is carried, replaced, or refused", () => {
  const [left, right] = [full("left"), full("right")];
  const alone = columnsOf([left, right]);
  let refused = 0;
  let carried = 0;
  fc.assert(
    fc.property(anyMove, (move) => {
      let together: string[][];
      try {
        together = columnsOf([left, move, right]);
      } catch (error) {
        expect((error as Error).message).toMatch(/holds U\+0000 or U\+0001/);
        refused += 1;
        return;
      }
      carried += 1;
      for (const [index, column] of together.entries()) {
        // Of the leases there is one row, whatever the batch holds.
        if (index < 2) continue;
        expect(column[0]).toEqual(alone[index]?.[0]);
        expect(column[column.length - 1]).toEqual(alone[index]?.[1]);
        expect(column.join("")).not.toContain("\0");
      }
    }),
    { numRuns: 2_000 },
  );
  expect(Math.min(refused, carried)).toBeGreaterThan(100);
});
