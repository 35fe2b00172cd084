/** The HTTP/2 connections of the gRPC side: kept alive while they are of use, closed when they are not. */
import type { ServerHttp2Session } from "node:http2";

/** How often connections are looked at, milliseconds; also the time in which a ping must be answered. */
const LOOK_MS = 20_000;
/** How often a connection is pinged, in looks: a peer that has vanished is found out within this and one look more. */
const LOOKS_A_PING = 3;
/** A connection without calls is closed after so many looks: half an hour. */
const IDLE_LOOKS = 90;

/** Connections in the hands of their server. */
export interface Sessions {
  add(session: ServerHttp2Session): void;
  /** Takes no new calls; a connection closes after its last one. */
  drain(): void;
  /** Breaks off every connection. */
  close(): void;
}

interface Seen {
  /** Calls in flight. */
  open: number;
  /** Looks since there was a call. */
  idle: number;
  /** Looks since the last ping. */
  sincePing: number;
  awaitsPong: boolean;
}

/** Keeps connections. The parameters are for tests. */
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

/** `NGHTTP2_ERR_PROTO`: somebody broke the protocol, in one stream or in the connection. */
const PROTOCOL_BROKEN = -505;
/** Time in which a connection proves that only a stream of it was broken, milliseconds. */
const PROOF_MS = 5_000;

/**
 * Node destroys a connection for a fault that HTTP/2 lays on one stream: a body longer than its content length. The
 * library below has reset that stream by then and goes on reading. After a fault of the connection it reads nothing any
 * more, so a ping tells the two apart.
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
