/** Followers of all runs of a tenant: they hear of every header that changes, and of how many changes they missed. */
import { toHeader } from "./headers.ts";
import type { JournalRecord } from "./machine/records.ts";
import type { Run } from "./machine/run.ts";
import type { Caller, RunChange, RunHeader } from "./port.ts";
import type { RuntimeObserver } from "./shard/runtime-parts.ts";

/** Runs that wait for a follower; more, and it misses the oldest. */
const MAX_BEHIND = 10_000;

interface Follower {
  readonly tenantId: string;
  readonly queue: Map<string, RunHeader>;
  lost: number;
  wake: (() => void) | null;
}

/** Hears of commits and tells its followers. Each line is the whole header, so of several changes of a run the newest is enough. */
export interface Followers extends RuntimeObserver {
  /** Headers as they change, and what was missed, from the first call of `next` on. Ends when the signal aborts. */
  follow(caller: Caller, signal: AbortSignal): AsyncGenerator<RunChange>;
}

/** Nobody follows yet. */
export function createFollowers(maxBehind = MAX_BEHIND): Followers {
  const followers = new Set<Follower>();

  const tell = (header: RunHeader): void => {
    for (const follower of followers) {
      if (follower.tenantId !== header.tenantId) continue;
      follower.queue.delete(header.runId);
      follower.queue.set(header.runId, header);
      if (follower.queue.size > maxBehind) {
        follower.queue.delete(follower.queue.keys().next().value ?? "");
        follower.lost += 1;
      }
      follower.wake?.();
    }
  };

  return {
    // While the state is ahead of the journal nobody sees it: the next commit tells.
    committed({ state }: Run, records: readonly JournalRecord[], firstSequence: number): void {
      if (followers.size === 0 || state.sequence >= firstSequence + records.length) return;
      tell(toHeader(state));
    },
    /** Nothing to do: a lost shard is followed by its new owner. */
    fenced() {},
    async *follow({ tenantId }, signal) {
      const follower: Follower = { tenantId, queue: new Map(), lost: 0, wake: null };
      followers.add(follower);
      const onAbort = (): void => follower.wake?.();
      signal.addEventListener("abort", onAbort);
      try {
        while (!signal.aborted) {
          if (follower.lost > 0) {
            const lostCount = follower.lost;
            follower.lost = 0;
            yield { type: "gap", lostCount };
            continue;
          }
          const [next] = follower.queue;
          if (next === undefined) {
            await new Promise<void>((resolve) => {
              follower.wake = resolve;
            });
            follower.wake = null;
            continue;
          }
          follower.queue.delete(next[0]);
          yield { type: "changed", header: next[1] };
        }
      } finally {
        followers.delete(follower);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
