/** A proxy before the database's socket that loses what it is told to lose. */
import { existsSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EmbeddedConnection } from "../../../src/store/embedded/embedded-postgres.ts";

/**
 * What becomes of a statement: `lost` never reaches the server, `cut` runs and its answer is lost with the connection,
 * `hung` runs and is never answered.
 */
export type Fate = "lost" | "cut" | "hung";

/** A running proxy. */
export interface LossyProxy {
  /** Where to connect. */
  readonly target: EmbeddedConnection;
  /** What becomes of the next message that holds `text`. */
  next(text: string, fate: Fate): void;
  /** How many fates were met. */
  readonly met: number;
  /** Cuts every connection; while true nobody gets in. */
  down: boolean;
  /** How long answers are held back, milliseconds; 0 at first. */
  lateMs: number;
  close(): Promise<void>;
}

/** Opens a proxy in `folder` to the server of `target`. */
export async function openLossyProxy(folder: string, target: EmbeddedConnection): Promise<LossyProxy> {
  const fates: { readonly text: string; readonly fate: Fate }[] = [];
  const sockets = new Set<Socket>();
  let met = 0;
  let down = false;
  let lateMs = 0;
  const server: Server = createServer((client) => {
    if (down) return void client.destroy();
    const upstream = connect(socketPath(target.host, target.port));
    let answerFate: Fate | null = null;
    let answers = Promise.resolve();
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (bytes: Buffer) => {
      const found = fates.findIndex(({ text }) => bytes.includes(text));
      const fate = found < 0 ? undefined : fates.splice(found, 1)[0]?.fate;
      if (fate !== undefined) met += 1;
      if (fate === "lost") return void client.destroy();
      if (fate !== undefined) answerFate = fate;
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (answerFate === "hung") return;
      // The server answers when the statement is over: its change is committed by now.
      if (answerFate === "cut") return void client.destroy();
      answers = answers.then(async () => {
        if (lateMs > 0) await sleep(lateMs);
        client.write(bytes);
      });
    });
  });
  const path = socketPath(folder, target.port);
  if (existsSync(path)) rmSync(path);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return {
    target: { ...target, host: folder },
    next: (text, fate) => fates.push({ text, fate }),
    get met() {
      return met;
    },
    get down() {
      return down;
    },
    set down(value: boolean) {
      down = value;
      if (value) for (const socket of sockets) socket.destroy();
    },
    get lateMs() {
      return lateMs;
    },
    set lateMs(value: number) {
      lateMs = value;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function socketPath(folder: string, port: number): string {
  return join(folder, `.s.PGSQL.${port}`);
}
