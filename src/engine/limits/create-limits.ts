/**
 * The limits of an instance. It tells the homes of limits what its runs need and free, and gives its runs the slots
 * that the homes grant.
 *
 * Messages may get lost. While a run of this instance waits, the instance therefore reads the rows, soon at first and
 * later every {@link LOOK_MOST_MS}: it takes slots that were granted and not taken, and tells the other homes again.
 */
import type { Log } from "../../base/log.ts";
import type {
  Grant,
  GrantRound,
  GrantTaker,
  LimitCalls,
  LimitKey,
  LimitLines,
  LimitMessage,
  LimitMetrics,
  LimitPage,
  LimitSlotStore,
  PeerLimits,
} from "../ports/dispatch/limits.ts";
import type { Runtime } from "../shard/runtime.ts";
import { LimitHome } from "./limit-home.ts";
import { LimitNews } from "./limit-news.ts";

/** Shortest and longest pause before the rows are read, milliseconds. */
const LOOK_FIRST_MS = 500;
const LOOK_MOST_MS = 5_000;

/** Shortest pause for each limit that runs wait for, milliseconds. */
const PER_LIMIT_MS = 2;

export interface LimitsParts {
  readonly instanceId: string;
  readonly store: LimitSlotStore;
  readonly metrics: Pick<LimitMetrics, "granted">;
  readonly log: Log;
}

type Ground = Pick<Runtime, "shards" | "clock" | "cluster">;

/** The limits of an instance before its runs are loaded. */
export interface CreatedLimits extends PeerLimits {
  readonly lines: LimitLines;
  /** Grants slots from now on. */
  start(taker: GrantTaker, calls: LimitCalls): void;
  stop(): Promise<void>;
}

/** Creates the limits of an instance. */
export function createLimits(ground: Ground, parts: LimitsParts): CreatedLimits {
  return new Limits(ground, parts);
}

class Limits implements CreatedLimits {
  readonly #ground: Ground;
  readonly #parts: LimitsParts;
  readonly #home: LimitHome;
  readonly lines: LimitLines;
  #taker: GrantTaker | null = null;
  #news: LimitNews | null = null;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = LOOK_FIRST_MS;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(ground: Ground, parts: LimitsParts) {
    const { shards, clock } = ground;
    this.#ground = ground;
    this.#parts = parts;
    this.#home = new LimitHome({ ...parts, shards, clock, tell: (granted) => this.#tell(granted) });
    this.lines = {
      changed: (limit) => this.#changed(limit),
      waits: (limit) => {
        this.#changed(limit);
        this.#lookIn(LOOK_FIRST_MS);
      },
      taken: (taken) => void this.#taken(taken),
    };
  }

  start(taker: GrantTaker, calls: LimitCalls): void {
    this.#taker = taker;
    this.#news = new LimitNews({ ...this.#parts, cluster: this.#ground.cluster, calls });
  }

  hear({ changed, granted }: LimitMessage): void {
    const { shards } = this.#ground;
    for (const limit of changed) if (shards.epochOf(this.#home.homeOf(limit)) !== undefined) this.#home.changed(limit);
    for (const grant of granted) if (shards.epochOf(grant.shard) !== undefined) void this.#take(grant);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all([this.#home.stop(), this.#looking]);
  }

  #changed(limit: LimitKey): void {
    const home = this.#home.homeOf(limit);
    if (this.#ground.shards.epochOf(home) !== undefined) this.#home.changed(limit);
    else this.#news?.changed(limit, home);
  }

  #tell(granted: GrantRound["granted"]): void {
    const { shards } = this.#ground;
    for (const grant of granted) {
      this.#parts.metrics.granted(grant.limit.name, grant.waitedMs);
      if (shards.epochOf(grant.shard) !== undefined) void this.#take(grant);
      else this.#news?.granted(grant);
    }
  }

  /** A slot was given to a run of ours. */
  async #take(grant: Grant): Promise<void> {
    const { log, store } = this.#parts;
    const { runId, path } = grant;
    try {
      if ((await this.#taker?.granted(grant)) !== "stuck") return;
      const epoch = this.#ground.shards.epochOf(grant.shard);
      if (epoch === undefined) return;
      for (const limit of await store.giveBack({ shard: grant.shard, epoch }, runId)) this.#changed(limit);
    } catch (error) {
      // The next read of the rows finds the slot.
      log.warn("a task could not be told that its limit has a slot for it", { runId, task: path, error });
      this.#lookIn(LOOK_FIRST_MS);
    }
  }

  async #taken(taken: readonly number[]): Promise<void> {
    const { log, store } = this.#parts;
    this.#lookIn(0);
    try {
      await this.#forEach(
        (after) => store.listWaitingAt(taken, after),
        (limit) => this.#home.changed(limit),
      );
    } catch (error) {
      // The owners of waiting runs tell the home again.
      log.warn("the limits of shards that were taken could not be listed", { error });
    }
  }

  #lookIn(inMs: number): void {
    if (this.#stopped) return;
    if (this.#timer !== null && inMs > 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = this.#looking.then(() => this.#look());
    }, inMs);
  }

  async #look(): Promise<void> {
    const { store, log } = this.#parts;
    const { owned } = this.#ground.shards;
    if (this.#stopped || owned.length === 0) return;
    let leastMs = 0;
    try {
      const granted = await store.listGranted(owned);
      await Promise.all(granted.map((grant) => this.#take(grant)));
      const waiting = await this.#forEach(
        (after) => store.listWaiting(owned, after),
        (limit) => this.#changed(limit),
      );
      if (granted.length === 0 && waiting === 0) {
        this.#pauseMs = LOOK_FIRST_MS;
        return;
      }
      leastMs = waiting * PER_LIMIT_MS;
    } catch (error) {
      log.warn("slots of limits could not be listed", { error });
    }
    this.#pauseMs = Math.min(this.#pauseMs * 2, LOOK_MOST_MS);
    this.#lookIn(Math.max(this.#pauseMs, leastMs));
  }

  /** Calls `each` with the limits of all pages. Returns their number. */
  async #forEach(
    read: (after: LimitKey | null) => Promise<LimitPage>,
    each: (limit: LimitKey) => void,
  ): Promise<number> {
    let count = 0;
    for (let after: LimitKey | null = null; !this.#stopped; ) {
      const { limits, isLast }: LimitPage = await read(after);
      for (const limit of limits) each(limit);
      count += limits.length;
      if (isLast) break;
      after = limits[limits.length - 1] ?? null;
    }
    return count;
  }
}
