/** Request ids of calls that were applied to a run. */
import { MAX_REQUESTS, REQUEST_ID_RETENTION_MS, type RunState } from "./state.ts";

/** Remembers the request id of a call, and drops the oldest ones. */
export function rememberRequest({ requests }: RunState, at: number, request: string, hash = ""): void {
  requests.set(request, { hash, at });
  // Ids are kept for at least a day. The limit on the size of a journal bounds how many arrive in a day.
  for (const [id, oldest] of requests) {
    if (requests.size <= MAX_REQUESTS || at - oldest.at < REQUEST_ID_RETENTION_MS) return;
    requests.delete(id);
  }
}
