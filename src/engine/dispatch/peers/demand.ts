/** What waits at other instances, as announced by them: estimates, reduced as slots are lent. */
import type { Line } from "../../ports/dispatch/hand-overs.ts";
import type { Want } from "../../ports/dispatch/peers.ts";
import { precedes } from "../head.ts";
import type { Skills } from "../skills.ts";
import { keyOf } from "../waiting-tasks.ts";

/** What waits at one instance in one line. */
interface Open<Peer> {
  readonly peer: Peer;
  readonly want: Want;
  left: number;
}

/** What one instance wants of a line. */
export interface Wanted<Peer> extends Pick<Want, "priority" | "turn"> {
  readonly peer: Peer;
  /** A slot goes there. */
  take(): void;
}

/** What waits elsewhere, by line. */
export class Demand<Peer> {
  readonly #lines = new Map<string, Open<Peer>[]>();

  set(peer: Peer, want: Want): void {
    const key = keyOf(want);
    this.#keep(key, (open) => open.peer !== peer || open.want.labels !== want.labels);
    if (want.count > 0) this.#lines.set(key, [...(this.#lines.get(key) ?? []), { peer, want, left: want.count }]);
  }

  /** Forgets the announcements of an instance. */
  forget(peer: Peer): void {
    for (const key of this.#lines.keys()) this.#keep(key, (open) => open.peer !== peer);
  }

  /**
   * What goes before everything else in these lines and can be done by a worker with the skills, among the instances
   * that `isMeant`.
   */
  best(lines: readonly Line[], skills: Skills, isMeant: (peer: Peer) => boolean = () => true): Wanted<Peer> | null {
    if (this.#lines.size === 0) return null;
    let best: Open<Peer> | null = null;
    for (const line of lines)
      for (const open of this.#lines.get(keyOf(line)) ?? [])
        if (isMeant(open.peer) && skills.has(open.want.labels) && precedes(open.want, best?.want ?? null)) best = open;
    if (best === null) return null;
    const wanted = best;
    const { peer, want } = wanted;
    const take = (): void => {
      wanted.left -= 1;
      if (wanted.left <= 0) this.#keep(keyOf(want), (open) => open !== wanted);
    };
    return { peer, priority: want.priority, turn: want.turn, take };
  }

  #keep(key: string, isKept: (open: Open<Peer>) => boolean): void {
    const kept = this.#lines.get(key)?.filter(isKept) ?? [];
    if (kept.length === 0) this.#lines.delete(key);
    else this.#lines.set(key, kept);
  }
}
