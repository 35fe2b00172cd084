/**
 * Followers of all runs of a tenant: they receive every changed header, and the number of changes that they missed.
 *
 * Commits on this instance come from the runtime, those on other instances are relayed. The newest version of a run
 * wins, in whatever order the versions arrive.
 */

import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { Caller } from "../ports/caller.ts";
import type { RunHeader } from "../ports/run-index.ts";
import type { FollowScope, RunChange, RunRelay } from "../ports/run-watch.ts";
import { isNewer, toHeader } from "./headers.ts";
import type { RunObserver } from "./observer.ts";

/** Most runs queued for a follower; beyond that, it misses the oldest. */
const MAX_BEHIND = 10_000;

/** Runs delivered at once. */
const BATCH = 100;

interface Follower {
  readonly tenantId: string;
  readonly scope: FollowScope;
  readonly queue: Map<string, RunHeader>;
  lost: number;
  wake: (() => void) | null;
}

/**
 * Observes commits and delivers headers to followers. A header is complete, so the newest of several changes of a run
 * is enough.
 */
export interface Followers extends RunObserver, RunRelay {
  /**
   * Headers as they change and the number of missed ones, from the first call of `next`. Ends when the signal aborts.
   */
  follow(caller: Caller, signal: AbortSignal, scope: FollowScope): AsyncGenerator<RunChange>;
  /** Changes that wait for followers. */
  readonly backlog: number;
}

/** Initially without followers. */
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
    get backlog() {
      return [...followers].reduce((sum, { queue }) => sum + queue.size, 0);
    },
    // A state that is ahead of the journal is not visible: the next commit delivers it.
    committed(run: Run, records: readonly JournalRecord[], firstSequence: number): void {
      if (followers.size === 0) return;
      const { state } = run;
      if (state.sequence >= firstSequence + records.length) return;
      const header = toHeader(state);
      for (const follower of followers) if (follower.tenantId === header.tenantId) tell(follower, header);
    },
    deleted(header, at) {
      // Newer than every earlier version of the run.
      const last: RunHeader = { ...header, sequence: header.sequence + 1, updatedAt: at, deleted: true };
      for (const follower of followers) if (follower.tenantId === header.tenantId) tell(follower, last);
    },
    /** Nothing to do: the new owner of a lost shard continues. */
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
      // Also if the reader has stopped at a change and does not return.
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
