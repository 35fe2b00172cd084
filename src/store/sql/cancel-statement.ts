/**
 * Cancels what a connection is doing, by PostgreSQL's own request for that: sixteen bytes on a new connection. It names the session by number and key, and
 * so it goes through proxies, where `pg_cancel_backend` would hit a stranger.
 */
import { connect } from "node:net";
import type { ClientBase } from "pg";

/** Number that stands where others have the version of the protocol. */
const CANCEL_REQUEST = 80_877_102;

/** Time for the server to take the request, milliseconds. */
const PATIENCE_MS = 2_000;

/** What the driver knows of a session, beyond its types. */
interface Session {
  readonly host?: string;
  readonly port?: number;
  readonly processID?: number | null;
  readonly secretKey?: number | null;
}

/** Asks the server to give up the statement of a connection. Resolves when the server has heard it or cannot be reached; the statement itself tells how it ended. */
export function cancelStatement(client: ClientBase): Promise<void> {
  const { host = "", port = 5_432, processID, secretKey } = client as unknown as Session;
  if (typeof processID !== "number" || typeof secretKey !== "number") return Promise.resolve();
  const request = Buffer.alloc(16);
  request.writeInt32BE(request.length, 0);
  request.writeInt32BE(CANCEL_REQUEST, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  return new Promise((resolve) => {
    const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    // A server that cannot be reached will not answer the statement either, and that has its own limits.
    socket.on("error", () => undefined);
    // The server answers nothing: it closes once the session was told.
    socket.on("close", () => resolve());
    socket.on("connect", () => socket.write(request));
    socket.resume();
  });
}
