/** Records of a run in pages. */
import { toError } from "../../../base/errors.ts";
import type { Journal, StoredMove } from "../../ports/journal.ts";
import type { RunEventPage, RunEventView } from "../../ports/run-reader.ts";

/**
 * Characters of records in one page, beyond the first record: what callers are sent of them stays below the limit of a
 * message.
 */
const PAGE_SIZE = 2_097_152;

/** A move of this size is weighed record by record. */
const LARGE_MOVE = 65_536;

/** Records after a sequence, at most `limit`; see {@link RunEventPage}. Errors: RUN_NOT_FOUND. */
export async function listEvents(
  journal: Journal,
  tenantId: string,
  runId: string,
  afterSequence: number,
  limit: number,
): Promise<RunEventPage> {
  const events: RunEventView[] = [];
  let size = 0;
  for (let last = afterSequence; ; ) {
    const moves = await journal.readEvents(tenantId, runId, last, limit + 1 - events.length);
    if (moves === null) throw toError("RUN_NOT_FOUND", { runId });
    if (moves.length === 0) return { events, more: false };
    for (const move of moves) {
      for (const [index, record] of move.records.entries()) {
        const sequence = move.sequence + index;
        if (sequence <= afterSequence) continue;
        size += sizeOf(move, index);
        if (events.length > 0 && (events.length === limit || size > PAGE_SIZE)) return { events, more: true };
        events.push({ runId, sequence, record });
        last = sequence;
      }
    }
  }
}

function sizeOf(move: StoredMove, index: number): number {
  return move.size < LARGE_MOVE ? move.size / move.records.length : JSON.stringify(move.records[index]).length;
}
