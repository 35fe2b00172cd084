/**
 * Messages about limits to other instances. Each has at most one call in flight; messages that arrive meanwhile go
 * with the next one. A call that fails is not repeated: those who wait look for themselves.
 */
import type { Log } from "../../base/log.ts";
import type { Cluster, ClusterView, OtherInstance } from "../ports/cluster.ts";
import type { Grant, LimitCalls, LimitKey } from "../ports/dispatch/limits.ts";
import { textOf } from "./limit-home.ts";

/** Most grants kept for an instance that does not answer. */
const MAX_GRANTS = 10_000;

interface Box {
  readonly changed: Map<string, LimitKey>;
  readonly granted: Grant[];
}

export interface LimitNewsParts {
  readonly instanceId: string;
  readonly cluster: Pick<Cluster, "view">;
  readonly calls: LimitCalls;
  readonly log: Log;
}

/** Tells other instances. */
export class LimitNews {
  readonly #parts: LimitNewsParts;
  /** By id of the instance; one that is here has a call under way. */
  readonly #boxes = new Map<string, Box>();
  /** Owners of shards, as in the view of the cluster that was read last. */
  #owners: ReadonlyMap<number, OtherInstance> = new Map();
  #view: ClusterView | null = null;

  constructor(parts: LimitNewsParts) {
    this.#parts = parts;
  }

  /** Tells the owner of the limit's home. */
  changed(limit: LimitKey, home: number): void {
    this.#tell(home, (box) => box.changed.set(textOf(limit), limit));
  }

  /** Tells the owner of the run. */
  granted(grant: Grant): void {
    this.#tell(grant.shard, ({ granted }) => granted.length < MAX_GRANTS && granted.push(grant));
  }

  #tell(shard: number, put: (box: Box) => void): void {
    const peer = this.#ownerOf(shard);
    if (peer === undefined) return;
    const known = this.#boxes.get(peer.id);
    const box = known ?? { changed: new Map(), granted: [] };
    put(box);
    if (known !== undefined) return;
    this.#boxes.set(peer.id, box);
    void this.#send(peer);
  }

  /** Many limits are told between two refreshes of the view. */
  #ownerOf(shard: number): OtherInstance | undefined {
    const view = this.#parts.cluster.view();
    if (view !== this.#view) {
      this.#view = view;
      this.#owners = new Map(view.others.flatMap((other) => other.shards.map((owned) => [owned, other] as const)));
    }
    return this.#owners.get(shard);
  }

  async #send(peer: OtherInstance): Promise<void> {
    const { instanceId: from, calls, log } = this.#parts;
    await new Promise(setImmediate);
    for (let box = this.#take(peer.id); box !== null; box = this.#take(peer.id)) {
      try {
        await calls.tellLimits(peer, { from, changed: [...box.changed.values()], granted: box.granted });
      } catch (error) {
        log.debug("another instance could not be told about limits", { peer: peer.id, error });
      }
    }
  }

  /** What waits for an instance; null: nothing, and no call is under way any more. */
  #take(id: string): Box | null {
    const box = this.#boxes.get(id);
    if (box === undefined || (box.changed.size === 0 && box.granted.length === 0)) {
      this.#boxes.delete(id);
      return null;
    }
    this.#boxes.set(id, { changed: new Map(), granted: [] });
    return box;
  }
}
