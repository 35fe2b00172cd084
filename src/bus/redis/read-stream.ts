/**
 * One Stream of a reader: its group, what of it is under way, and what is done and not acknowledged yet. See
 * `stream-reader.ts`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Log } from "../../base/log.ts";
import type { Problem } from "../apply-message.ts";
import { MAX_DEATHS } from "../deaths.ts";
import {
  type HandleMessages,
  MESSAGE_FIELD,
  type MessageCounts,
  type RedisMessage,
  STREAM_PREFIX,
  type Verdict,
} from "./messages.ts";
import type { StreamLoad } from "./stream-load.ts";

/** An entry that nobody has acknowledged for so long is claimed, milliseconds; and how many at once. */
const CLAIM_IDLE_MS = 30_000;
const CLAIM_COUNT = 100;
/**
 * How long an entry is tried alone, milliseconds: if its process lives then, something else killed the one before. With
 * an entry that has killed an owner it takes until that entry is done: its shard may come here, and then it kills here.
 */
const TRIAL_MS = 250;
/** How often an entry on a long trial is kept from being claimed by others, milliseconds. */
const KEEP_EVERY_MS = 5_000;
/** About how many rejected entries are kept. */
const MAX_REJECTED = 10_000;
/** Consumers without entries are removed after so long, milliseconds. */
const CONSUMER_IDLE_MS = 3_600_000;
/** Most entries of an acknowledgement. */
const ACK_COUNT = 500;

/** An entry as Redis gives it: its id, and names and values in turn. Null: it was deleted. */
export type StreamEntry = readonly [Buffer, readonly Buffer[]] | null;

/** An entry as handlers take it. */
type EntryMessage = RedisMessage & Required<Pick<RedisMessage, "fields">> & { readonly entryId: string };

/** An entry that is not acknowledged: its id, consumer, milliseconds since its delivery, and deliveries. */
type Pending = readonly [string, string, number, number];

export interface ReadStreamParts {
  /** The name of the Stream, with the prefix that marks Streams. */
  readonly source: string;
  readonly handle: HandleMessages;
  readonly group: string;
  readonly consumer: string;
  readonly now: () => number;
  readonly counts: MessageCounts;
  readonly log: Log;
  /** A connection that never blocks. */
  readonly commands: Redis;
  readonly load: StreamLoad;
  /** The server does not answer, or refuses. */
  readonly failed: (error: unknown) => void;
  /** Resolves when it is time to try again; false: the reader has stopped. */
  readonly pause: () => Promise<boolean>;
}

export class ReadStream {
  readonly name: string;
  /** Its group is not known to be gone. */
  hasGroup = false;
  /** Not read before that, `performance.now()`: it cannot be. */
  restsUntil = 0;
  readonly #parts: ReadStreamParts;
  readonly #underWay = new Map<string, number>();
  #done: string[] = [];
  /** The entry that is tried alone; `died` counts the owners of its run that died meanwhile. */
  #trial: { readonly id: string; died: number } | null = null;
  #acknowledging: Promise<void> | null = null;

  constructor(parts: ReadStreamParts) {
    this.#parts = parts;
    this.name = parts.source.slice(STREAM_PREFIX.length);
  }

  /** From the beginning: what is handled a second time is told apart by its id. */
  async createGroup(): Promise<void> {
    const { group, log, commands } = this.#parts;
    try {
      await commands.xgroup("CREATE", this.name, group, "0", "MKSTREAM");
      log.info("a consumer group was made", { stream: this.name, group });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("BUSYGROUP"))) throw error;
    }
    this.hasGroup = true;
  }

  /**
   * Takes over what nobody has acknowledged for long: an instance died with it, or it was lost on its way. Each entry
   * is tried alone, and its number of deliveries is raised before: who dies of it leaves it raised, who lives on sets
   * it back, and the death of an owner of its run raises it again. An entry with which three have died is rejected.
   * None is tried beside an entry with which an owner died.
   */
  async claim(): Promise<void> {
    const { group, commands, load } = this.#parts;
    for (let from = "-"; ; ) {
      const page = [from, "+", CLAIM_COUNT] as const;
      const pending = (await commands.xpending(this.name, group, "IDLE", CLAIM_IDLE_MS, ...page)) as readonly Pending[];
      for (const [id, , , deliveries] of pending) {
        if (load.isFull || load.hasSuspects) return;
        if (this.#underWay.has(id)) continue;
        if (deliveries >= MAX_DEATHS) await this.#reject(id, deliveries);
        else await this.#try(id, deliveries);
      }
      const last = pending[CLAIM_COUNT - 1];
      if (last === undefined) return;
      from = `(${last[0]}`;
    }
  }

  async #try(id: string, deliveries: number): Promise<void> {
    const { group, consumer, commands, source, counts, load } = this.#parts;
    const [entry] = (await commands.callBuffer(
      "XCLAIM",
      ...[this.name, group, consumer, CLAIM_IDLE_MS, id, "RETRYCOUNT", deliveries + 1],
    )) as readonly StreamEntry[];
    // Another instance has it by now.
    if (entry === undefined) return;
    if (entry === null) await commands.xack(this.name, group, id);
    const trial = { id, died: 0 };
    this.#trial = trial;
    if (this.take([entry], true) === 0) return;
    counts.counted(source, "claimed", 1);
    const keep = (count: number): Promise<unknown> =>
      commands.call("XCLAIM", this.name, group, consumer, 0, id, "RETRYCOUNT", count, "JUSTID");
    const startedAt = performance.now();
    let keptAt = startedAt;
    let stored = 0;
    while (this.#underWay.has(id) && (load.hasSuspects || performance.now() < startedAt + TRIAL_MS)) {
      await sleep(5);
      const { died } = trial;
      if (died === stored && performance.now() < keptAt + KEEP_EVERY_MS) continue;
      keptAt = performance.now();
      stored = died;
      await keep(deliveries + 1 + died);
    }
    // It takes its time, and kills nobody.
    if (this.#underWay.has(id)) await keep(1);
  }

  /** Rejects an entry of which its readers died. */
  async #reject(id: string, deliveries: number): Promise<void> {
    const { group, commands, log, source, counts } = this.#parts;
    for (const [, fields] of await commands.xrangeBuffer(this.name, id, id))
      await this.#copy(id, { deliveries: String(deliveries) }, fields as readonly Buffer[]);
    await commands.xack(this.name, group, id);
    counts.counted(source, "refused", 1);
    log.error("an entry is rejected: its readers died of it", { stream: this.name, entry: id, deliveries });
  }

  /** Keeps a copy in the Stream of rejected entries: what is said of it, then its own fields. */
  async #copy(id: string, said: Readonly<Record<string, string>>, fields: readonly Buffer[]): Promise<void> {
    const { commands, log } = this.#parts;
    const copyTo = `${this.name}:rejected`;
    const facts = ["entry", id, ...Object.entries(said).flat()];
    try {
      await commands.xadd(copyTo, "MAXLEN", "~", MAX_REJECTED, "*", ...facts, ...fields);
    } catch (error) {
      if (!isRefused(error)) throw error;
      log.warn("a rejected entry cannot be copied; it stays in its stream", { stream: copyTo, error });
    }
  }

  /** Its name among the entries of all Streams of the reader. */
  #keyOf(id: string): string {
    return `${this.name} ${id}`;
  }

  async removeConsumers(): Promise<void> {
    const { group, commands } = this.#parts;
    const consumers = (await commands.xinfo("CONSUMERS", this.name, group)) as readonly unknown[][];
    for (const fields of consumers) {
      const fieldOf = (name: string): unknown => fields[fields.indexOf(name) + 1];
      if (fieldOf("pending") !== 0 || Number(fieldOf("idle")) < CONSUMER_IDLE_MS) continue;
      await commands.xgroup("DELCONSUMER", this.name, group, String(fieldOf("name")));
    }
  }

  /** Handles entries; returns how many there are that are not under way already. */
  take(entries: readonly StreamEntry[], again: boolean): number {
    const { source, now, counts, load } = this.#parts;
    const seenAt = now();
    const messages = entries.flatMap((entry) => {
      if (entry === null) return [];
      const entryId = entry[0].toString("latin1");
      if (this.#underWay.has(entryId)) return [];
      const [, fields] = entry;
      const value = messageOf(fields);
      const size = fields.reduce((sum, field) => sum + field.length, 0);
      this.#underWay.set(entryId, size);
      load.add(size);
      const ownerDied = (): void => {
        load.suspect(this.#keyOf(entryId));
        if (this.#trial?.id === entryId) this.#trial.died += 1;
      };
      return [{ source, entryId, value, fields, seenAt, again, ownerDied }];
    });
    if (messages.length === 0) return 0;
    counts.counted(source, "received", messages.length);
    for (const [index, verdict] of this.#handle(messages).entries()) {
      const message = messages[index];
      if (message !== undefined) void verdict.then((word) => this.#settle(message, word));
    }
    return messages.length;
  }

  /** A bug of a handler costs the entries at hand: they are claimed again. */
  #handle(messages: readonly EntryMessage[]): readonly Promise<Verdict>[] {
    const { handle, source, log } = this.#parts;
    try {
      return handle(messages);
    } catch (error) {
      log.error("entries could not be handled", { source, error });
      return messages.map(async () => "elsewhere");
    }
  }

  async #settle({ entryId, fields }: EntryMessage, verdict: Verdict): Promise<void> {
    // It is claimed again, by this instance or another.
    if (verdict === "elsewhere") return this.#forget([entryId]);
    if (verdict !== "done" && !(await this.#keep(entryId, fields, verdict))) return;
    this.#done.push(entryId);
    this.#acknowledging ??= this.#acknowledge().finally(() => {
      this.#acknowledging = null;
    });
  }

  /** Keeps an entry that can never be applied, however long it takes. False: the reader has stopped before. */
  async #keep(id: string, fields: readonly Buffer[], { reason, message }: Problem): Promise<boolean> {
    const { pause, log, source, counts } = this.#parts;
    for (let isLogged = false; ; isLogged = true) {
      try {
        await this.#copy(id, { reason, problem: message }, fields);
        break;
      } catch (error) {
        if (!isLogged) log.warn("a rejected entry cannot be kept yet", { stream: this.name, entry: id, error });
        if (!(await pause())) return false;
      }
    }
    counts.counted(source, "refused", 1);
    log.warn("an entry was rejected", { stream: this.name, entry: id, reason });
    return true;
  }

  /** Acknowledges what is done, however long it takes: until then it counts as under way. */
  async #acknowledge(): Promise<void> {
    const { commands, group, failed, pause } = this.#parts;
    // What is done in one turn of the event loop is acknowledged together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#done.length > 0) {
      const ids = this.#done.splice(0, ACK_COUNT);
      try {
        await commands.xack(this.name, group, ...ids);
      } catch (error) {
        if (!isGroupGone(error) && !isOfAnotherType(error)) {
          failed(error);
          if (!(await pause())) return;
          this.#done.unshift(...ids);
          continue;
        }
      }
      this.#forget(ids);
    }
  }

  #forget(ids: readonly string[]): void {
    const { load } = this.#parts;
    for (const id of ids) {
      load.clear(this.#keyOf(id));
      load.remove(this.#underWay.get(id) ?? 0);
      this.#underWay.delete(id);
    }
  }
}

/** The message of an entry: the field of that name, or the only one. Empty if there is neither. */
function messageOf(fields: readonly Buffer[]): Buffer {
  const [name, only] = fields;
  if (fields.length === 2 && name !== undefined) return only ?? Buffer.alloc(0);
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at]?.equals(Buffer.from(MESSAGE_FIELD)) === true) return fields[at + 1] ?? Buffer.alloc(0);
  return Buffer.alloc(0);
}

/** Redis was emptied, or the Stream or its group deleted. */
export function isGroupGone(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)/.test(error.message);
}

/** Somebody has written something else to the name. */
export function isOfAnotherType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("WRONGTYPE");
}

/** The user of the connection may not do that, or the name holds something else. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|WRONGTYPE)/.test(error.message);
}
