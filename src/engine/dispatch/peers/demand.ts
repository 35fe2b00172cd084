/** What waits at other instances, as they have said: hints, which are counted down as slots go there. */
import type { Line } from "../../ports/dispatch/hand-overs.ts";
import type { Want } from "../../ports/dispatch/peers.ts";
import { goesBefore, keyOf } from "../waiting-tasks.ts";

/** What waits at one instance. */
interface Open {
  readonly want: Want;
  left: number;
}

/** What one instance wants of a line. */
export interface Wanted<Peer> extends Pick<Want, "priority" | "since"> {
  readonly peer: Peer;
  /** A slot goes there. */
  take(): void;
}

/** What waits elsewhere, by line. */
export class Demand<Peer> {
  readonly #lines = new Map<string, Map<Peer, Open>>();

  set(peer: Peer, want: Want): void {
    const key = keyOf(want);
    if (want.count === 0) this.#delete(key, peer);
    else {
      const peers = this.#lines.get(key) ?? new Map<Peer, Open>();
      this.#lines.set(key, peers.set(peer, { want, left: want.count }));
    }
  }

  /** Forgets everything that an instance has said. */
  forget(peer: Peer): void {
    for (const key of this.#lines.keys()) this.#delete(key, peer);
  }

  /** What goes before everything else in these lines, among the instances that `isMeant`. */
  best(lines: readonly Line[], isMeant: (peer: Peer) => boolean = () => true): Wanted<Peer> | null {
    if (this.#lines.size === 0) return null;
    let best: { readonly key: string; readonly peer: Peer; readonly open: Open } | null = null;
    for (const line of lines) {
      const key = keyOf(line);
      for (const [peer, open] of this.#lines.get(key) ?? [])
        if (isMeant(peer) && goesBefore(open.want, best?.open.want ?? null)) best = { key, peer, open };
    }
    if (best === null) return null;
    const { key, peer, open } = best;
    const { priority, since } = open.want;
    const take = (): void => {
      open.left -= 1;
      if (open.left <= 0) this.#delete(key, peer);
    };
    return { peer, priority, since, take };
  }

  #delete(key: string, peer: Peer): void {
    const peers = this.#lines.get(key);
    if (peers?.delete(peer) === true && peers.size === 0) this.#lines.delete(key);
  }
}
