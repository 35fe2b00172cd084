/** Request ids of calls that were applied to a run. */
import { MAX_REQUESTS, REQUEST_ID_RETENTION_MS, type RunState } from "./state.ts";

/** Remembers the request id of a call, and forgets the oldest ones. */
export function rememberRequest({ requests }: RunState, at: number, request: string, hash = ""): void {
  requests.set(request, { hash, at });
  // Ids are kept for a day at least; how many come in a day is bounded by how far a journal may grow.
  for (const [id, oldest] of requests) {
    if (requests.size <= MAX_REQUESTS || at - oldest.at < REQUEST_ID_RETENTION_MS) return;
    requests.delete(id);
  }
}
