/** The HTTP/2 connections of the gRPC side: pings them and closes dead and idle ones. */
import type { ServerHttp2Session } from "node:http2";

/** Interval of checks, milliseconds; also the timeout of a ping. */
const LOOK_MS = 20_000;
/** Checks between pings: a lost peer is detected within one more check. */
const LOOKS_A_PING = 3;
/** Checks without a call until a connection is closed: half an hour. */
const IDLE_LOOKS = 90;

export interface Sessions {
  add(session: ServerHttp2Session): void;
  /** Accepts no new calls; a connection closes after its last one. */
  drain(): void;
  /** Destroys all connections. */
  close(): void;
}

interface Seen {
  /** Calls in flight. */
  open: number;
  /** Checks since the last call. */
  idle: number;
  /** Checks since the last ping. */
  sincePing: number;
  awaitsPong: boolean;
}

/** Tracks connections. The parameters are for tests. */
export function openSessions(lookMs = LOOK_MS, idleLooks = IDLE_LOOKS): Sessions {
  const sessions = new Map<ServerHttp2Session, Seen>();
  const look = (): void => {
    for (const [session, seen] of sessions) {
      if (seen.awaitsPong) {
        session.destroy();
        continue;
      }
      seen.idle = seen.open > 0 ? 0 : seen.idle + 1;
      seen.sincePing += 1;
      if (seen.idle >= idleLooks) session.close();
      else if (seen.sincePing >= LOOKS_A_PING) {
        seen.sincePing = 0;
        seen.awaitsPong = session.ping(() => {
          seen.awaitsPong = false;
        });
      }
    }
  };
  const timer = setInterval(look, lookMs).unref();
  return {
    add(session) {
      const seen: Seen = { open: 0, idle: 0, sincePing: 0, awaitsPong: false };
      sessions.set(session, seen);
      surviveStreamFaults(session);
      session.on("stream", (stream) => {
        seen.open += 1;
        stream.on("close", () => {
          seen.open -= 1;
        });
      });
      session.on("close", () => sessions.delete(session));
    },
    drain() {
      for (const session of sessions.keys()) session.close();
    },
    close() {
      clearInterval(timer);
      for (const session of sessions.keys()) session.destroy();
    },
  };
}

/** `NGHTTP2_ERR_PROTO`: a protocol error in a stream or in the connection. */
const PROTOCOL_BROKEN = -505;
/** How long a connection has to prove that only one of its streams broke, milliseconds. */
const PROOF_MS = 5_000;

/**
 * Node destroys a connection for an error that HTTP/2 limits to one stream: a body longer than its content length.
 * nghttp2 has already reset that stream and continues to read. After a connection error it reads nothing more, so a
 * ping tells the two apart.
 */
function surviveStreamFaults(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session);
  let isProving = false;
  session.destroy = (error, code) => {
    if ((error as { errno?: unknown } | undefined)?.errno !== PROTOCOL_BROKEN || session.closed) {
      destroy(error, code);
      return;
    }
    if (isProving) return;
    isProving = true;
    const timer = setTimeout(() => destroy(error, code), PROOF_MS);
    session.once("close", () => clearTimeout(timer));
    const sent = session.ping(() => {
      clearTimeout(timer);
      isProving = false;
    });
    if (!sent) destroy(error, code);
  };
}
