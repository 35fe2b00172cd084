/**
 * Trials find the message that kills its readers. After the death of a reader that had not got beyond the position at
 * which it took its partition, the next one tries the messages from there one after the other, and writes the place of
 * each into the store first.
 *
 *   fetched → named ──→ handed over ──→ done, or an attempt at it is over that no owner died of: passed
 *                          └── the reader dies, or the owner of the run does: a death against this message
 *   enough deaths (deaths.ts) → rejected before it is touched again
 *
 * A message may also kill the owner of its run, another instance: see ../owner-deaths.ts.
 *
 * One message at a time is on trial in the whole process. One with deaths is tried after a random pause, so that
 * somebody who kills at a steady pace does not hit it again; until then nothing is in progress here.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import type { InboundMessage, RejectedMessages } from "../../engine/ports/bus/inbound.ts";
import type { MessageSuspects } from "../../engine/ports/bus/suspects.ts";
import { applyMessage } from "../apply-message.ts";
import { KILLS_ITS_READER } from "../deaths.ts";
import type { Handle } from "./broker-reads.ts";

/** A message with deaths is tried after a pause of up to this long, milliseconds. */
const PAUSE_MS = 5_000;

/** A trial that takes longer, milliseconds, waits for something outside, and the next one begins. */
const PATIENCE_MS = 5_000;

export interface TrialsParts {
  readonly suspects: MessageSuspects;
  readonly rejected: RejectedMessages;
  /** See {@link PAUSE_MS}, for tests. */
  readonly pauseMs?: number | undefined;
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** What is known of the messages of a partition on trial. */
export interface Suspicion {
  /** The first offset that is not tried. */
  readonly until: bigint;
  /** Messages with deaths, and whether they are rejected for them. */
  readonly guilty: ReadonlyMap<bigint, boolean>;
}

interface Trial {
  readonly message: InboundMessage;
  readonly handle: Handle;
  /** Whether the partition is still read here. */
  readonly isOpen: () => boolean;
  readonly done: () => void;
  /** The next message of the partition may be tried. */
  readonly over: PromiseWithResolvers<void>;
}

export class Trials {
  readonly #parts: TrialsParts;
  readonly #waiting: Trial[] = [];
  #running: Promise<void> | null = null;
  #current: { readonly message: InboundMessage; ownerDied: boolean; over(): void } | null = null;
  /** The trial before, until the store knows that it has passed. */
  #passed: InboundMessage | null = null;

  constructor(parts: TrialsParts) {
    this.#parts = parts;
  }

  /**
   * Takes fetched messages of a partition. `ends` are those of a {@link Handle}; `over` resolves when all have been
   * tried, or the partition is not read here any more. Never rejects.
   */
  take(
    messages: readonly InboundMessage[],
    handle: Handle,
    { guilty }: Suspicion,
    isOpen: () => boolean,
  ): { readonly ends: readonly Promise<void>[]; readonly over: Promise<void> } {
    const { stopping } = this.#parts;
    const ends = messages.map(() => Promise.withResolvers<void>());
    const tryAll = async (): Promise<void> => {
      for (const [index, message] of messages.entries()) {
        const isGuilty = guilty.get(message.offset);
        if (isGuilty === false) await this.#pause();
        if (stopping.aborted || !isOpen()) return;
        const done = (): void => ends[index]?.resolve();
        if (isGuilty !== true) await this.#try({ message, handle, isOpen, done, over: Promise.withResolvers() });
        else if (await this.#reject(message)) done();
      }
    };
    return { ends: ends.map(({ promise }) => promise), over: tryAll() };
  }

  /** An attempt at a message is over though the message is not done: it takes its time, and has not killed. */
  attempted(message: InboundMessage): void {
    const current = this.#current;
    if (current?.message === message && !current.ownerDied) current.over();
  }

  /**
   * The owner of its run has died with a message: a death against it. Its shard may come here, and then this reader
   * dies of the message: it is on trial until it is done.
   */
  ownerDied(message: InboundMessage): void {
    const { suspects, log } = this.#parts;
    if (this.#current?.message !== message) return;
    this.#current.ownerDied = true;
    // A death that cannot be stored costs another one.
    suspects.otherDied(message).catch((error: unknown) => {
      log.warn("the death of an owner by a message could not be stored", { error });
    });
  }

  /** Resolves when no message is on trial, and the store knows it. */
  async drain(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #pause(): Promise<void> {
    const { stopping, pauseMs = PAUSE_MS } = this.#parts;
    // A stop ends the pause.
    await sleep(Math.random() * pauseMs, undefined, { signal: stopping }).catch(() => {});
  }

  #try(trial: Trial): Promise<void> {
    this.#waiting.push(trial);
    this.#start();
    return trial.over.promise;
  }

  #start(): void {
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #work(): Promise<void> {
    const { stopping } = this.#parts;
    for (let trial = this.#waiting.shift(); trial !== undefined; trial = this.#waiting.shift()) {
      const { message, isOpen, over } = trial;
      if (!stopping.aborted && isOpen() && (await this.#name(message))) await this.#run(trial);
      over.resolve();
      // The next message of its partition is there by now, so that one statement names it and clears this one.
      await nextTurn();
    }
    if (this.#passed !== null) await this.#name(null);
  }

  async #run({ message, handle, done }: Trial): Promise<void> {
    const attempted = Promise.withResolvers<void>();
    const { stopping } = this.#parts;
    const current = { message, ownerDied: false, over: attempted.resolve };
    this.#current = current;
    const patience = new AbortController();
    const signal = AbortSignal.any([patience.signal, stopping]);
    // Aborted when it is not needed, and by a stop: then nothing has killed.
    const tooLong = sleep(PATIENCE_MS, undefined, { signal }).catch(() => {});
    const [end] = handle([message]);
    void end?.then(done);
    await Promise.race([end, attempted.promise, tooLong]);
    patience.abort();
    if (current.ownerDied) await Promise.race([end, untilAborted(stopping)]);
    // The immediate effects of a commit happen within one turn of the event loop.
    await nextTurn();
    this.#current = null;
    this.#passed = message;
  }

  /** False: this instance stops. */
  #name(message: InboundMessage | null): Promise<boolean> {
    const passed = this.#passed;
    this.#passed = null;
    return this.#untilDone(() => this.#parts.suspects.name(message, passed));
  }

  async #reject(message: InboundMessage): Promise<boolean> {
    const { rejected, suspects, log } = this.#parts;
    const { topic, partition, offset } = message;
    const isKept = await this.#untilDone(async () => {
      await rejected.keep(message, KILLS_ITS_READER, "its readers died of it");
      await suspects.forget(message);
    });
    if (isKept)
      log.error("a message is rejected: its readers died of it", { topic, partition, offset: String(offset) });
    return isKept;
  }

  async #untilDone(apply: () => Promise<void>): Promise<boolean> {
    const { stopping, log } = this.#parts;
    return (await applyMessage({ apply, refuse: async () => {}, stopping, log })) !== "left";
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
