/**
 * The one port. The first bytes of a connection determine its protocol: the HTTP/2 preface goes to gRPC, everything
 * else to HTTP/1.1. A connection that sends nothing in time is closed; a preface can arrive in pieces.
 *
 * TLS belongs here: with ALPN, a client that offers only `h2` goes to gRPC, one that also offers `http/1.1` to HTTP.
 */
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** How long a connection has to send its first bytes, milliseconds. */
const HANDSHAKE_MS = 10_000;

/** Most open connections of a port; further ones are closed at once. */
const MAX_CONNECTIONS = 20_000;

/** Servers that take over a connection once its protocol is known. The first bytes are still unread. */
export interface Takers {
  readonly http2: (socket: Socket) => void;
  readonly http1: (socket: Socket) => void;
}

/** A listening port. */
export interface Front {
  /**
   * Listens and returns the address. Port 0 picks a free one. May be called again for further ports. Error:
   * PORT_IN_USE, with the name of the setting.
   */
  listen(host: string, port: number, setting?: string): Promise<{ readonly host: string; readonly port: number }>;
  /** Stops listening. Connections of known protocol stay with their servers; the others are closed. */
  close(): void;
  /** Number of open connections. */
  readonly openCount: number;
  /** Destroys all connections. */
  destroy(): void;
}

/** Creates a port that hands its connections to `takers`. */
export function createFront(takers: Takers, log: Log, handshakeMs = HANDSHAKE_MS): Front {
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const servers: Server[] = [];
  const take = (socket: Socket): void => {
    sockets.add(socket);
    undecided.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      undecided.delete(socket);
    });
    sniff(socket, handshakeMs, (taker) => {
      undecided.delete(socket);
      // HTTP/2 has no half-closed connections; HTTP/1.1 decides for itself.
      if (taker === "http2") socket.allowHalfOpen = false;
      takers[taker](socket);
    });
  };
  return {
    listen: (host, port, setting = "ORCHESTRATOR_PORT") =>
      new Promise((resolve, reject) => {
        const server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, take);
        server.maxConnections = MAX_CONNECTIONS;
        server.once("error", (error: NodeJS.ErrnoException) => {
          try {
            if (error.code === "EADDRINUSE") fail("PORT_IN_USE", { port, setting }, { cause: error });
            fail(
              "CONFIG_INVALID",
              { problem: `cannot listen on ${host}:${port}: ${error.code ?? error.message}` },
              { cause: error },
            );
          } catch (thrown) {
            reject(thrown);
          }
        });
        server.listen({ host, port, backlog: 1_024 }, () => {
          server.removeAllListeners("error");
          server.on("error", (error) => log.error("the port failed", { error }));
          servers.push(server);
          const address = server.address() as AddressInfo;
          resolve({ host: address.address, port: address.port });
        });
      }),
    close() {
      for (const socket of undecided) socket.destroy();
      for (const server of servers) server.close();
    },
    get openCount() {
      return sockets.size;
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function sniff(socket: Socket, handshakeMs: number, decide: (taker: keyof Takers) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("readable", read);
    socket.off("error", ignore);
    socket.off("end", leave);
  };
  const leave = (): void => {
    stop();
    socket.destroy();
  };
  const timer = setTimeout(leave, handshakeMs);
  // Ignore connections that break before their first bytes; `close` follows.
  const ignore = (): void => stop();
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const length = Math.min(head.length, PREFACE.length);
    const isPreface = head.compare(PREFACE, 0, length, 0, length) === 0;
    if (isPreface && length < PREFACE.length) return;
    stop();
    socket.unshift(head);
    decide(isPreface ? "http2" : "http1");
  };
  socket.on("readable", read);
  socket.on("error", ignore);
  socket.on("end", leave);
}
