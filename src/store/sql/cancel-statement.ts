/**
 * Cancels the current statement of a connection with PostgreSQL's cancel request: sixteen bytes on a new connection.
 * The request names the session by process id and key, so it works through proxies, where `pg_cancel_backend` would hit
 * the wrong session.
 */
import { connect } from "node:net";
import type { ClientBase } from "pg";

/** Request code, sent where a startup packet has the protocol version. */
const CANCEL_REQUEST = 80_877_102;

/** Time limit for sending the request, milliseconds. */
const PATIENCE_MS = 2_000;

/** Fields of the driver's session that its types lack. */
interface Session {
  readonly host?: string;
  readonly port?: number;
  readonly processID?: number | null;
  readonly secretKey?: number | null;
}

/**
 * Asks the server to cancel the statement of a connection. Resolves when the server has received the request or cannot
 * be reached; the statement itself reports how it ended.
 */
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
    // A server that cannot be reached will not answer the statement either, and that has its own timeouts.
    socket.on("error", () => undefined);
    // The server sends no response: it closes the connection once it has processed the request.
    socket.on("close", () => resolve());
    socket.on("connect", () => socket.write(request));
    socket.resume();
  });
}
