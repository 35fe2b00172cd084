/** Pages of a run's records. */
import { toError } from "../../../base/errors.ts";
import type { Journal, StoredTransition } from "../../ports/journal.ts";
import type { RunEventPage, RunEventView } from "../../ports/run-reader.ts";

/** Characters of records in one page, beyond the first record: keeps the response below the message limit. */
const PAGE_SIZE = 2_097_152;

/** The records of a stored transition of this size are measured one by one. */
const LARGE_STORED_TRANSITION = 65_536;

/** Returns records after a sequence, at most `limit`; see {@link RunEventPage}. Error: RUN_NOT_FOUND. */
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
    const transitions = await journal.readEvents(tenantId, runId, last, limit + 1 - events.length);
    if (transitions === null) throw toError("RUN_NOT_FOUND", { runId });
    if (transitions.length === 0) return { events, more: false };
    for (const transition of transitions) {
      for (const [index, record] of transition.records.entries()) {
        const sequence = transition.sequence + index;
        if (sequence <= afterSequence) continue;
        size += sizeOf(transition, index);
        if (events.length > 0 && (events.length === limit || size > PAGE_SIZE)) return { events, more: true };
        events.push({ runId, sequence, record });
        last = sequence;
      }
    }
  }
}

function sizeOf(transition: StoredTransition, index: number): number {
  return transition.size < LARGE_STORED_TRANSITION
    ? transition.size / transition.records.length
    : JSON.stringify(transition.records[index]).length;
}
