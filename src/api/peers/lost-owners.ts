/**
 * Calls under way at instances that lose their shards. An instance that runs answers its calls before it gives a shard
 * away; one that stands still, or that the network cannot reach, answers none of them, and others take its shards when
 * its lease ends. Its calls then end here, so that they can be made at the new owner long before their deadline.
 */
import type { Cluster } from "../../engine/ports/cluster.ts";

/** How often to look, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** An instance that has had no shard for so many looks in a row does not answer any more. */
const LOST_AFTER_LOOKS = 3;

/** A call at an instance. */
export interface WatchedCall {
  /** Aborts with the signal of the call, or when the instance has lost its shards. */
  readonly signal: AbortSignal;
  /** To be called when the call has ended. */
  release(): void;
}

export interface LostOwners {
  watch(address: string, signal: AbortSignal): WatchedCall;
  close(): void;
}

interface Entry {
  readonly address: string;
  readonly stop: AbortController;
  /** The instance had shards while the call was under way; what this instance knows may be some seconds old. */
  owned: boolean;
  looksWithout: number;
}

/** `lookEveryMs` is for tests. */
export function openLostOwners(cluster: Pick<Cluster, "view">, lookEveryMs = LOOK_EVERY_MS): LostOwners {
  const entries = new Set<Entry>();
  const ownersNow = (): ReadonlySet<string> =>
    new Set(cluster.view().others.flatMap(({ address, owns }) => (owns ? [address] : [])));
  let timer: NodeJS.Timeout | null = null;
  const stopLooking = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const look = (): void => {
    if (entries.size === 0) stopLooking();
    const owners = ownersNow();
    for (const entry of entries) {
      if (owners.has(entry.address)) {
        entry.owned = true;
        entry.looksWithout = 0;
      } else if (entry.owned) entry.looksWithout += 1;
      if (entry.looksWithout >= LOST_AFTER_LOOKS) entry.stop.abort();
    }
  };
  return {
    watch(address, signal) {
      const stop = new AbortController();
      const entry: Entry = { address, stop, owned: ownersNow().has(address), looksWithout: 0 };
      const abort = (): void => stop.abort(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      entries.add(entry);
      timer ??= setInterval(look, lookEveryMs).unref();
      return {
        signal: stop.signal,
        release() {
          signal.removeEventListener("abort", abort);
          entries.delete(entry);
        },
      };
    },
    close: stopLooking,
  };
}
