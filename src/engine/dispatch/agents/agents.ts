/**
 * Gives tasks to agents. An agent takes every task that it receives.
 *
 *   a task is ready ──handed out──→ published ─┬─ arrived → started
 *                                              └─ nobody listens, or nobody knows → handed back
 *   nobody listens            tasks wait as rows; the agent is asked again after growing pauses while there are any
 *   Redis is away             tasks wait as rows until it is back
 *   all places are taken      tasks wait as rows, and no new one overtakes them; the next ones go out when a quarter of
 *                             the places is free
 *
 * A hand-over that was not heard uses up no attempt and is no loss. One that was heard without anybody knowing is
 * published a second time, with another token: the answer to the first one is late.
 */
import type { Log } from "../../../base/log.ts";
import { addressOf, nameOf, toAgents } from "../../../tasks/addresses.ts";
import type { AgentPost } from "../../ports/dispatch/agents.ts";
import type {
  HandedTask,
  HandOverRef,
  HandOvers,
  LabeledLine,
  ReadyTask,
  Slot,
  Takers,
  WaitingTaskStore,
} from "../../ports/dispatch/hand-overs.ts";
import { retryUntil } from "../../shard/retry-until.ts";

/** Waiting tasks of a page. */
const PAGE = 500;
/** Pauses before it is asked again whether anybody listens, milliseconds. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** Share of the tasks that may be under way at which those that wait go on. */
const REFILL_AT = 0.75;

export interface AgentsParts {
  readonly kinds: readonly string[];
  /** Most tasks of a kind that are with agents at once, as far as this instance has handed them out or taken over. */
  readonly maxInFlight: number;
  readonly post: AgentPost;
  readonly seal: (kind: string, ref: HandOverRef) => string;
  readonly store: Pick<WaitingTaskStore, "listCarried">;
  readonly shards: { readonly owned: readonly number[] };
  readonly lifecycle: { readonly stopping: boolean };
  readonly log: Log;
}

/** Agents of a kind, as far as this instance knows. */
interface Kind {
  readonly name: string;
  /** False: nobody listened when it was last asked. */
  isHeard: boolean;
  /** Tasks wait here. */
  isAwaited: boolean;
  /** Tasks that are handed out and not over. */
  inFlight: number;
  /** As many as may be were under way, and tasks may wait since. */
  isFull: boolean;
  isLooking: boolean;
  pauseMs: number;
  timer: NodeJS.Timeout | null;
  /** `performance.now()` when it was last known. */
  knownAt: number;
}

/** Takes the tasks of agents. */
export class Agents implements Takers {
  readonly isOpen = true;
  readonly #parts: AgentsParts;
  readonly #kinds: ReadonlyMap<string, Kind>;
  #handOvers: HandOvers | null = null;
  #stopped = false;

  constructor(parts: AgentsParts) {
    this.#parts = parts;
    const fresh = {
      ...{ isHeard: true, isAwaited: false, isLooking: false, pauseMs: FIRST_PAUSE_MS, timer: null },
      ...{ inFlight: 0, isFull: false },
    };
    this.#kinds = new Map(parts.kinds.map((name) => [name, { name, ...fresh, knownAt: Number.NEGATIVE_INFINITY }]));
  }

  /** Tasks are published from now on. */
  start(handOvers: HandOvers): void {
    this.#handOvers = handOvers;
    this.#parts.post.onReady(() => {
      for (const kind of this.#kinds.values()) if (kind.isAwaited) this.#askLater(kind, 0);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#kinds.values()) if (timer !== null) clearTimeout(timer);
  }

  reserve({ queue }: ReadyTask): Slot | null {
    const kind = this.#kinds.get(nameOf(queue));
    return kind !== undefined && this.#takes(kind) && this.#hasRoom(kind) ? this.#openSlot(kind) : null;
  }

  waits(task: ReadyTask): void {
    const kind = this.#kinds.get(nameOf(task.queue));
    if (kind === undefined) return;
    if (!this.#takes(kind)) this.#await(kind);
    else if (this.#hasRoom(kind)) void this.#handOver(kind, task);
    // It goes out when others are over.
    else kind.isAwaited = true;
  }

  look(): void {
    for (const kind of this.#kinds.values()) this.#lookAt(kind);
  }

  isServed({ queue }: LabeledLine): boolean {
    const { post } = this.#parts;
    const kind = this.#kinds.get(nameOf(queue));
    if (kind === undefined || !post.isReady) return false;
    // Those who ask come again.
    if (performance.now() - kind.knownAt > LONGEST_PAUSE_MS) void this.#ask(kind);
    return kind.isHeard;
  }

  slotOf(to: string, ref: HandOverRef): Slot {
    const slot = this.#openSlot(null, to);
    slot.ref = ref;
    return slot;
  }

  /** Whether one more may be under way, and none waits for that. */
  #hasRoom(kind: Kind): boolean {
    kind.isFull ||= kind.inFlight >= this.#parts.maxInFlight;
    return !kind.isFull;
  }

  #over(kind: Kind): void {
    kind.inFlight -= 1;
    if (kind.isFull && !kind.isLooking) this.#refill(kind);
  }

  #refill(kind: Kind): void {
    if (this.#stopped || kind.inFlight > Math.floor(REFILL_AT * this.#parts.maxInFlight)) return;
    if (!kind.isAwaited) kind.isFull = false;
    else if (this.#takes(kind)) this.#lookAt(kind);
    else this.#await(kind);
  }

  #takes(kind: Kind): boolean {
    return kind.isHeard && this.#parts.post.isReady;
  }

  #openSlot(kind: Kind | null, to?: string): Slot & { ref: HandOverRef | null } {
    const { post, seal } = this.#parts;
    const name = kind?.name ?? nameOf(to ?? "").replace(/^stream:/, "");
    const counted = this.#kinds.get(name);
    let isOver = false;
    if (counted !== undefined) counted.inFlight += 1;
    const slot: Slot & { ref: HandOverRef | null } = {
      ref: null,
      to: to ?? toAgents(name, post.isStream(name)),
      lostAt: null,
      send: (task) => {
        slot.ref = task;
        if (kind !== null) void this.#publish(kind, task, slot);
      },
      cancel: (reason) => {
        if (slot.ref !== null) post.cancel(name, seal(name, slot.ref), reason);
      },
      release: () => {
        if (isOver || counted === undefined) return;
        isOver = true;
        this.#over(counted);
      },
    };
    return slot;
  }

  async #publish(kind: Kind, task: HandedTask, slot: Slot & { ref: HandOverRef | null }): Promise<void> {
    const { post, seal, log } = this.#parts;
    const { runId, path, fence } = task;
    try {
      const arrival = await post.publish({ kind: kind.name, token: seal(kind.name, task), task });
      if (arrival !== "away") this.#know(kind, arrival === "arrived");
      if (arrival === "arrived") return void (await this.#handOvers?.alive({ runId, fence }, slot));
      // Nobody has it who could be asked to stop.
      slot.ref = null;
      await this.#handOvers?.returned({ runId, fence }, "HANDED_BACK");
    } catch (error) {
      // The run has another owner, who takes it back when nobody has acknowledged it in time.
      log.warn("what became of a task for agents could not be told its run", { runId, task: path, error });
    }
  }

  async #handOver(kind: Kind, task: ReadyTask): Promise<void> {
    const { runId, path } = task;
    const slot = this.#openSlot(kind);
    try {
      if ((await this.#handOvers?.handOver(task, slot)) !== true) slot.release();
    } catch (error) {
      slot.release();
      this.#parts.log.warn("a waiting task could not be given to agents", { runId, task: path, error });
    }
  }

  #know(kind: Kind, isHeard: boolean): void {
    kind.knownAt = performance.now();
    if (kind.isHeard === isHeard) return;
    kind.isHeard = isHeard;
    kind.pauseMs = FIRST_PAUSE_MS;
    const { log } = this.#parts;
    if (!isHeard) log.warn("no agent listens: tasks of its type wait", { type: kind.name });
    else log.info("an agent listens", { type: kind.name });
  }

  #await(kind: Kind): void {
    kind.isAwaited = true;
    // When the way is there again, it is asked at once.
    if (kind.timer === null && this.#parts.post.isReady) this.#askLater(kind, kind.pauseMs);
  }

  #askLater(kind: Kind, afterMs: number): void {
    if (this.#stopped) return;
    if (kind.timer !== null) clearTimeout(kind.timer);
    kind.timer = setTimeout(() => {
      kind.timer = null;
      void this.#ask(kind);
    }, afterMs).unref();
  }

  async #ask(kind: Kind): Promise<void> {
    kind.knownAt = performance.now();
    const count = await this.#parts.post.countListeners(kind.name);
    // What is in a page that is being read is not handed out twice: it waits no more.
    if (count !== null) this.#know(kind, count > 0);
    if (!kind.isAwaited || kind.timer !== null) return;
    if (this.#takes(kind)) this.#lookAt(kind);
    else if (this.#parts.post.isReady) {
      kind.pauseMs = Math.min(2 * kind.pauseMs, LONGEST_PAUSE_MS);
      this.#askLater(kind, kind.pauseMs);
    }
  }

  #lookAt(kind: Kind): void {
    if (kind.isLooking) {
      kind.isAwaited = true;
      return;
    }
    kind.isLooking = true;
    kind.isAwaited = false;
    void this.#handOutAll(kind)
      .catch((error: unknown) => this.#parts.log.warn("waiting tasks could not be given to agents", { error }))
      .finally(() => {
        kind.isLooking = false;
        if (kind.isFull) this.#refill(kind);
        else if (kind.isAwaited) this.#askLater(kind, kind.pauseMs);
      });
  }

  async #handOutAll(kind: Kind): Promise<void> {
    const { store, shards, lifecycle, maxInFlight, log } = this.#parts;
    for (let after: ReadyTask | null = null; ; ) {
      const most = Math.min(PAGE, maxInFlight - kind.inFlight);
      kind.isFull = most <= 0;
      if (kind.isFull) {
        kind.isAwaited = true;
        return;
      }
      const page: readonly ReadyTask[] = await retryUntil(
        log,
        () => store.listCarried(addressOf("agents", kind.name), shards.owned, after, most),
        () => lifecycle.stopping,
      );
      if (page.length === 0) return;
      if (!this.#takes(kind)) return this.#await(kind);
      // Others may have become ready and gone out meanwhile.
      const some = page.slice(0, Math.max(0, maxInFlight - kind.inFlight));
      await Promise.all(some.map((task) => this.#handOver(kind, task)));
      if (some.length === page.length && page.length < most) return;
      after = some.at(-1) ?? after;
    }
  }
}
