/**
 * Shows the state of runs in Redis, one key each, for readers outside. Nothing here reads it.
 *
 * What happens to a run after its commit:
 *
 *   changed ──200 ms later──→ summarized ──durable──→ outgoing ──→ written, in batches
 *   ended ────at once───────→ summarized ───────────→ outgoing
 *
 * **changed**: changes until then are one. **summarized**: the state may be ahead of the commits; its text waits until
 * the commit that it shows is durable. **outgoing**: a newer text of a run replaces an older one. What fails to be
 * written stays, so the newest states reach Redis when it is back, as far as {@link MAX_BYTES} goes: beyond it, states
 * of open runs are dropped first, the oldest first. States of open runs that another instance owns by now are dropped.
 */
import type { Log } from "../../base/log.ts";
import type { RedisConnection } from "./connection.ts";

/** Shortest time between two texts of an open run, milliseconds. */
export const INTERVAL_MS = 200;
/** Precision of that, milliseconds. */
const TICK_MS = 50;
/** Longest time that summarizing may hold up everything else, milliseconds. */
const SLICE_MS = 4;
/** How long a text waits for its commit, milliseconds. Then the run was read anew, and a change of it comes. */
const COMMIT_MS = 30_000;
/** Most characters of outgoing texts. */
export const MAX_BYTES = 32 * 1_024 * 1_024;
/** Most runs and characters of a batch. */
const BATCH = 500;
const BATCH_BYTES = 1_024 * 1_024;
/** Pauses after a batch that was refused, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Counts what becomes of texts. */
export interface HotStateMetrics {
  counted(result: "written" | "failed" | "dropped", count: number): void;
}

export interface HotStateParts<R extends object> {
  readonly connection: Pick<RedisConnection, "isReady" | "onReady" | "send">;
  readonly keyOf: (runId: string) => string;
  /** How long the state of a run stays after this change, milliseconds. */
  readonly ttlOf: (run: R) => number;
  /** Sequence of the last record that the state of a run has. */
  readonly sequenceOf: (run: R) => number;
  readonly summarize: (run: R) => string;
  /** Whether this instance owns a run. */
  readonly owns: (runId: string) => boolean;
  readonly metrics: HotStateMetrics;
  readonly log: Log;
}

interface Changed<R> {
  readonly run: R;
  /** Sequence of the last durable record. */
  durable: number;
  readonly dueAt: number;
}

/** A state as it is written. */
interface Text {
  readonly text: string;
  readonly ttlMs: number;
}

/** A text on its way. */
interface Outgoing extends Text {
  readonly kind: "open" | "ended";
  readonly runId: string;
}

interface Summarized<R> {
  readonly run: R;
  readonly sequence: number;
  readonly text: Text;
  readonly at: number;
}

export class HotState<R extends object> {
  readonly #parts: HotStateParts<R>;
  /** In the order of their times. */
  readonly #changed = new Map<string, Changed<R>>();
  readonly #summarized = new Map<string, Summarized<R>>();
  readonly #ended = new Map<string, R>();
  readonly #outgoing: Record<"open" | "ended", Map<string, Text>> = { open: new Map(), ended: new Map() };
  #bytes = 0;
  #isDropping = false;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  #sending: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: HotStateParts<R>) {
    this.#parts = parts;
    parts.connection.onReady(() => this.#send());
  }

  /** Records of a run became durable, up to `durable`; `hasEnded`: the last one ended it. */
  committed(runId: string, run: R, durable: number, hasEnded: boolean): void {
    if (hasEnded) {
      this.#changed.delete(runId);
      this.#summarized.delete(runId);
      this.#ended.set(runId, run);
      this.#immediate ??= setImmediate(() => this.#summarizeEnded());
      return;
    }
    const waiting = this.#summarized.get(runId);
    if (waiting !== undefined) {
      if (waiting.run !== run) this.#summarized.delete(runId);
      else if (durable < waiting.sequence) return;
      else {
        this.#summarized.delete(runId);
        this.#put("open", runId, waiting.text);
        if (durable === waiting.sequence) return;
      }
    }
    const known = this.#changed.get(runId);
    if (known?.run === run) known.durable = durable;
    else this.#changed.set(runId, { run, durable, dueAt: known?.dueAt ?? performance.now() + INTERVAL_MS });
    this.#tickLater();
  }

  /** Summarizes what has changed so far, and sends what there is, for at most `ms`. */
  async flush(ms: number): Promise<void> {
    this.#summarizeChanged(Number.POSITIVE_INFINITY);
    this.#summarizeEnded(Number.POSITIVE_INFINITY);
    const endsAt = performance.now() + ms;
    while (performance.now() < endsAt) {
      if (this.#sending === null && (this.#size === 0 || !this.#parts.connection.isReady)) return;
      this.#send();
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, Math.max(0, endsAt - performance.now()));
      await Promise.race([this.#sending, patience.promise]);
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
  }

  get #size(): number {
    return this.#outgoing.open.size + this.#outgoing.ended.size;
  }

  #tickLater(ms = TICK_MS): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#summarizeChanged(performance.now());
    }, ms);
  }

  #summarizeChanged(dueBefore: number): void {
    const { sequenceOf, owns } = this.#parts;
    const now = performance.now();
    for (const [runId, { at }] of this.#summarized) {
      if (now - at < COMMIT_MS) break;
      this.#summarized.delete(runId);
    }
    let pause = TICK_MS;
    for (const [runId, { run, durable, dueAt }] of this.#changed) {
      if (dueAt > dueBefore) break;
      if (dueBefore !== Number.POSITIVE_INFINITY && performance.now() - now > SLICE_MS) {
        pause = 1;
        break;
      }
      this.#changed.delete(runId);
      if (!owns(runId)) continue;
      const sequence = sequenceOf(run);
      const text = this.#textOf(run);
      if (sequence <= durable) this.#put("open", runId, text);
      else this.#summarized.set(runId, { run, sequence, text, at: now });
    }
    if (this.#changed.size + this.#summarized.size > 0) this.#tickLater(pause);
  }

  #summarizeEnded(sliceMs = SLICE_MS): void {
    this.#immediate = null;
    const now = performance.now();
    for (const [runId, run] of this.#ended) {
      if (performance.now() - now > sliceMs) {
        this.#immediate = setImmediate(() => this.#summarizeEnded());
        return;
      }
      this.#ended.delete(runId);
      this.#put("ended", runId, this.#textOf(run));
    }
  }

  #textOf(run: R): Text {
    const { summarize, ttlOf } = this.#parts;
    return { text: summarize(run), ttlMs: ttlOf(run) };
  }

  #put(kind: "open" | "ended", runId: string, text: Text): void {
    const { open, ended } = this.#outgoing;
    if (kind === "ended") this.#take(open, runId);
    this.#take(this.#outgoing[kind], runId);
    this.#outgoing[kind].set(runId, text);
    this.#bytes += text.text.length;
    let dropped = 0;
    while (this.#bytes > MAX_BYTES) {
      const from = open.size > 0 ? open : ended;
      const [oldest] = from.keys();
      if (oldest === undefined) break;
      this.#take(from, oldest);
      dropped++;
    }
    if (dropped > 0) {
      this.#parts.metrics.counted("dropped", dropped);
      if (!this.#isDropping) this.#parts.log.warn("Redis is away for too long: states of runs will be missing in it");
      this.#isDropping = true;
    }
    this.#send();
  }

  #take(from: Map<string, Text>, runId: string): void {
    const text = from.get(runId);
    if (text === undefined) return;
    from.delete(runId);
    this.#bytes -= text.text.length;
  }

  #send(): void {
    if (this.#stopped || this.#size === 0 || !this.#parts.connection.isReady) return;
    this.#sending ??= this.#run().finally(() => {
      this.#sending = null;
    });
  }

  async #run(): Promise<void> {
    const { connection, keyOf, metrics } = this.#parts;
    let pauseMs = FIRST_PAUSE_MS;
    // What ends in this turn of the event loop goes in one batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#size > 0 && connection.isReady && !this.#stopped) {
      const batch = this.#takeBatch();
      if (batch.length === 0) continue;
      const outcomes = await connection.send(batch.length, (pipeline) => {
        for (const { runId, text, ttlMs } of batch) pipeline.set(keyOf(runId), text, "PX", ttlMs);
      });
      const failed = batch.filter((_, index) => outcomes[index] !== null);
      if (failed.length < batch.length) metrics.counted("written", batch.length - failed.length);
      if (failed.length === 0) {
        pauseMs = FIRST_PAUSE_MS;
        this.#isDropping = false;
        continue;
      }
      metrics.counted("failed", failed.length);
      for (const one of failed)
        if (!this.#outgoing.open.has(one.runId) && !this.#outgoing.ended.has(one.runId))
          this.#put(one.kind, one.runId, one);
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  #takeBatch(): Outgoing[] {
    const batch: Outgoing[] = [];
    let bytes = 0;
    for (const kind of ["ended", "open"] as const) {
      const from = this.#outgoing[kind];
      for (const [runId, text] of from) {
        if (batch.length >= BATCH || bytes >= BATCH_BYTES) return batch;
        this.#take(from, runId);
        if (kind === "open" && !this.#parts.owns(runId)) continue;
        bytes += text.text.length;
        batch.push({ kind, runId, ...text });
      }
    }
    return batch;
  }
}
