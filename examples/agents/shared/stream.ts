/**
 * Requests from a Redis Stream, shared by the agents of a group.
 *
 *   new entry ──read by an agent with a free slot──→ pending, kept fresh while it works
 *   pending ──answered──→ acknowledged and deleted, in one transaction with an answer on a stream
 *           ──its agent is silent for `idleMs`──→ claimed by another agent
 *
 * Nothing is lost when an agent or the connection dies. A group that a flush removed is made again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Desk, Log } from "./desk.ts";
import type { Answers, Intake } from "./intake.ts";

/** How long one read waits for entries, milliseconds. */
const BLOCK_MS = 2_000;

export interface StreamOptions {
  /** For reads that block. */
  readonly reader: Redis;
  readonly client: Redis;
  readonly key: string;
  readonly group: string;
  readonly name: string;
  /** Silence after which the entries of an agent are taken over, milliseconds. */
  readonly idleMs: number;
  readonly desk: Desk;
  readonly answers: Answers;
  readonly log: Log;
}

/** Null, or without fields: it was deleted. */
type Entry = readonly [id: string, fields: readonly string[] | null] | null;

export async function openStream(options: StreamOptions): Promise<Intake> {
  const { reader, client, key, group, name, idleMs, desk, answers, log } = options;
  const held = new Set<string>();
  let isStopping = false;

  const makeGroup = async (): Promise<void> => {
    try {
      await client.xgroup("CREATE", key, group, "0", "MKSTREAM");
    } catch (error) {
      if (!isReply(error, "BUSYGROUP")) throw error;
    }
  };

  const take = (id: string, fields: readonly string[] | null, deliveries: number): void => {
    if (held.has(id)) return;
    held.add(id);
    const settle = async (answer: string | null): Promise<void> => {
      await answers.send(answer, { key, group, id });
      held.delete(id);
    };
    // An entry that was deleted meanwhile has no fields.
    if (fields === null) return void settle(null);
    desk.accept({ text: textOf(fields), deliveries, settle });
  };

  /** Takes entries that were given out before: to this name, or to agents that are silent. */
  const retake = async (entries: readonly Entry[]): Promise<void> => {
    for (const entry of entries) {
      const [id, fields] = entry ?? [];
      if (id === undefined || fields === undefined || held.has(id)) continue;
      const [pending] = (await client.xpending(key, group, id, id, 1)) as [string, string, number, number][];
      take(id, fields, pending?.[3] ?? 1);
    }
  };

  const readOwn = async (): Promise<void> => {
    const answer = await client.xreadgroup("GROUP", group, name, "COUNT", 1_000, "STREAMS", key, "0");
    await retake(entriesOf(answer));
  };

  const claimSilent = async (): Promise<void> => {
    if (desk.free <= 0) return;
    const answer = await client.xautoclaim(key, group, name, idleMs, "0-0", "COUNT", desk.free);
    await retake((answer as [string, Entry[]])[1]);
  };

  const keepFresh = async (): Promise<void> => {
    if (held.size > 0) await client.xclaim(key, group, name, 0, ...held, "JUSTID");
  };

  const attempt = async (what: () => Promise<void>): Promise<void> => {
    try {
      await what();
    } catch (error) {
      if (isStopping) return;
      if (isReply(error, "NOGROUP")) await makeGroup();
      else {
        // That Redis is away is said once, by the connection for answers.
        if (isReply(error, "")) log("warn", "the stream cannot be read", { reason: String(error) });
        await sleep(500);
      }
    }
  };

  await makeGroup();
  await attempt(readOwn);
  const ticks = setInterval(() => {
    void attempt(async () => {
      await keepFresh();
      await claimSilent();
    });
  }, idleMs / 3);
  const loop = (async () => {
    while (!isStopping) {
      await desk.waitForSlot();
      if (isStopping) return;
      const count = desk.free;
      await attempt(async () => {
        const answer = await reader.xreadgroup(
          ...(["GROUP", group, name, "COUNT", count, "BLOCK", BLOCK_MS, "STREAMS", key, ">"] as const),
        );
        for (const entry of entriesOf(answer)) if (entry !== null) take(...entry, 1);
      });
    }
  })();
  return {
    async stop() {
      isStopping = true;
      // What a read in flight brings stays pending, and the next agent claims it.
      reader.disconnect();
      await loop;
    },
    close: () => clearInterval(ticks),
  };
}

/** The JSON text of an entry: the field `message`, or the only one. */
function textOf(fields: readonly string[]): string {
  for (let index = 0; index + 1 < fields.length; index += 2)
    if (fields[index] === "message") return fields[index + 1] ?? "";
  return fields[1] ?? "";
}

function entriesOf(answer: unknown): readonly Entry[] {
  const [stream] = (answer ?? []) as [string, Entry[]][];
  return stream?.[1] ?? [];
}

/** Whether the server refused a command, with this word. */
function isReply(error: unknown, word: string): boolean {
  return error instanceof Error && error.name === "ReplyError" && error.message.startsWith(word);
}
