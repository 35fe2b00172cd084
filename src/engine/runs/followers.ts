/**
 * Followers of all runs of a tenant: they hear of every header that changes, and of how many changes they missed.
 *
 * What is committed here comes from the runtime, what others have committed is relayed. Of what is told of a run the
 * newest wins, whatever came first.
 */

import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { Caller } from "../ports/caller.ts";
import type { RunHeader } from "../ports/run-index.ts";
import type { FollowScope, RunChange, RunRelay } from "../ports/run-watch.ts";
import { isNewer, toHeader } from "./headers.ts";
import type { RunObserver } from "./observer.ts";

/** Runs that wait for a follower; more, and it misses the oldest. */
const MAX_BEHIND = 10_000;

/** Runs that are told at once. */
const BATCH = 100;

interface Follower {
  readonly tenantId: string;
  readonly scope: FollowScope;
  readonly queue: Map<string, RunHeader>;
  lost: number;
  wake: (() => void) | null;
}

/**
 * Hears of commits and tells its followers. Each line is the whole header, so of several changes of a run the newest is
 * enough.
 */
export interface Followers extends RunObserver, RunRelay {
  /** Headers as they change, and what was missed, from the first call of `next` on. Ends when the signal aborts. */
  follow(caller: Caller, signal: AbortSignal, scope: FollowScope): AsyncGenerator<RunChange>;
  /** A run of this instance was deleted at `at`; `header` is what it was. */
  deleted(header: RunHeader, at: number): void;
}

/** Nobody follows yet. */
export function createFollowers(maxBehind = MAX_BEHIND): Followers {
  const followers = new Set<Follower>();

  const tell = (follower: Follower, header: RunHeader): void => {
    const { queue } = follower;
    const waiting = queue.get(header.runId);
    if (waiting !== undefined && !isNewer(header, waiting)) return;
    queue.delete(header.runId);
    queue.set(header.runId, header);
    if (queue.size > maxBehind) {
      queue.delete(queue.keys().next().value ?? "");
      follower.lost += 1;
    }
    follower.wake?.();
  };

  return {
    // While the state is ahead of the journal nobody sees it: the next commit tells.
    committed(run: Run, records: readonly JournalRecord[], firstSequence: number): void {
      if (followers.size === 0) return;
      const { state } = run;
      if (state.sequence >= firstSequence + records.length) return;
      const header = toHeader(state);
      for (const follower of followers) if (follower.tenantId === header.tenantId) tell(follower, header);
    },
    deleted(header, at) {
      // Newer than everything that was said of the run.
      const last: RunHeader = { ...header, sequence: header.sequence + 1, updatedAt: at, deleted: true };
      for (const follower of followers) if (follower.tenantId === header.tenantId) tell(follower, last);
    },
    /** Nothing to do: a lost shard is followed by its new owner. */
    fenced() {},
    relay(tenantId, change) {
      for (const follower of followers) {
        if (follower.scope !== "all" || follower.tenantId !== tenantId) continue;
        if (change.type === "changed") for (const header of change.headers) tell(follower, header);
        else {
          follower.lost += change.lostCount;
          follower.wake?.();
        }
      }
    },
    async *follow({ tenantId }, signal, scope) {
      const follower: Follower = { tenantId, scope, queue: new Map(), lost: 0, wake: null };
      followers.add(follower);
      // Also where the reader has stopped at a change and does not come back.
      const onAbort = (): void => {
        followers.delete(follower);
        follower.wake?.();
      };
      signal.addEventListener("abort", onAbort);
      try {
        while (!signal.aborted) {
          if (follower.lost > 0) {
            const lostCount = follower.lost;
            follower.lost = 0;
            yield { type: "gap", lostCount };
            continue;
          }
          const headers = takeSome(follower.queue);
          if (headers.length > 0) {
            yield { type: "changed", headers };
            continue;
          }
          await new Promise<void>((resolve) => {
            follower.wake = resolve;
          });
          follower.wake = null;
        }
      } finally {
        followers.delete(follower);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}

function takeSome(queue: Map<string, RunHeader>): RunHeader[] {
  const headers: RunHeader[] = [];
  for (const [runId, header] of queue) {
    headers.push(header);
    queue.delete(runId);
    if (headers.length === BATCH) break;
  }
  return headers;
}
