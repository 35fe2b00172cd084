/**
 * Sends one HTTP/1.1 request over a guarded, pooled connection.
 *
 * It uses Node's own client: undici closes the connection on an unrequested `100 Continue`, which RFC 9110 §15.2
 * requires clients to skip.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as sendPlain } from "node:http";
import { Agent as SecureAgent, request as sendSecure } from "node:https";
import type { LookupFunction, Socket } from "node:net";
import type { AddressPolicy } from "./address-policy.ts";
import { AddressRefused, ConnectFailed, checkLiteralAddress, createGuardedLookup } from "./guarded-connect.ts";
import { AnswerRefused } from "./http-body.ts";
import { destinationOf, type HttpRequest } from "./http-request.ts";

/** Time limit for name resolution, TCP, and TLS together, milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
/** How long an idle connection is kept, milliseconds: below the 5 s after which many servers close it. */
const IDLE_TIMEOUT_MS = 4_000;
/** Maximum size of a response's header section, bytes. */
export const MAX_HEADER_BYTES = 65_536;

/** The peer has been silent for too long. */
export class SilenceExceeded extends Error {}

export interface SendOptions {
  /** Aborts the exchange, even while the body is read. */
  readonly signal: AbortSignal;
  /** Maximum silence of the peer, milliseconds; 0 means no limit. */
  readonly silenceMs: number;
}

/** A client with a connection pool. */
export interface HttpClient {
  /**
   * Resolves with the final response. Its body is still unread and must be consumed or destroyed. Interim responses
   * (1xx) are skipped. Rejects with `ConnectFailed` or `AddressRefused` if nothing was sent, with `AnswerRefused` for
   * an unusable response, and otherwise with the connection error. If a request with an idempotent method hits a pooled
   * connection that the server has just closed, it is sent once more.
   */
  send(request: HttpRequest, options: SendOptions): Promise<IncomingMessage>;
  /** Closes idle connections. */
  close(): void;
}

/** Methods that may be resent automatically (RFC 9110 §9.2.2). */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/**
 * The server closed a pooled connection before it responded: the usual race between a request and the server's idle
 * timeout.
 */
class StaleConnection extends Error {}

/** Creates a client that connects only where `policy` allows. `resolve` resolves names and defaults to `dns.lookup`. */
export function createHttpClient(policy: AddressPolicy, resolve?: LookupFunction): HttpClient {
  const pooled = { keepAlive: true, timeout: IDLE_TIMEOUT_MS };
  const plain = { send: sendPlain, pool: new Agent(pooled) };
  const secure = { send: sendSecure, pool: new SecureAgent(pooled) };

  const sendOnce = (request: HttpRequest, { signal, silenceMs }: SendOptions, isPooled: boolean) =>
    new Promise<IncomingMessage>((onResponse, reject) => {
      const destination = destinationOf(request.url);
      checkLiteralAddress(policy, destination);
      const { send, pool } = destination.secure ? secure : plain;
      const body = request.body === null ? undefined : Buffer.from(request.body);
      const outgoing = send({
        agent: isPooled ? pool : false,
        host: destination.host,
        port: destination.port,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: { ...request.headers, ...(body !== undefined && { "content-length": body.length }) },
        lookup: createGuardedLookup(policy, destination, resolve),
        maxHeaderSize: MAX_HEADER_BYTES,
        signal,
        // Always set: otherwise a request inherits the pool's timeout for idle connections.
        timeout: silenceMs,
      });
      // The size of the header section is limited. A limit on the number of fields would silently drop the rest.
      outgoing.maxHeadersCount = 0;
      const isConnected = watchConnection(outgoing, destination.secure);
      let response: IncomingMessage | undefined;
      outgoing.on("response", (incoming) => {
        response = incoming;
        // A body that is not read to its end reports that as an error, and an error without a listener would end the
        // process.
        incoming.on("error", () => {});
        onResponse(incoming);
      });
      outgoing.on("upgrade", (_, socket) => {
        socket.destroy();
        reject(new AnswerRefused("RESPONSE_INVALID", "the server switched to another protocol without being asked"));
      });
      outgoing.on("timeout", () => (response ?? outgoing).destroy(new SilenceExceeded("no data came in time")));
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        if (error instanceof AddressRefused || signal.aborted) reject(error);
        else if (!isConnected()) reject(new ConnectFailed(error.message, { cause: error }));
        else if (outgoing.reusedSocket && CLOSED_CODES.has(error.code ?? ""))
          reject(new StaleConnection(error.message));
        else reject(error);
      });
      outgoing.end(body);
    });

  return {
    async send(request, options) {
      try {
        return await sendOnce(request, options, true);
      } catch (error) {
        if (!(error instanceof StaleConnection) || !IDEMPOTENT_METHODS.has(request.method)) throw error;
        return await sendOnce(request, options, false);
      }
    },
    close() {
      plain.pool.destroy();
      secure.pool.destroy();
    },
  };
}

const CLOSED_CODES: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/**
 * Limits the time to connect. The returned function tells whether there is a connection; until then, nothing was sent.
 */
function watchConnection(outgoing: ClientRequest, secure: boolean): () => boolean {
  let connected = false;
  outgoing.once("socket", (socket: Socket) => {
    if (outgoing.reusedSocket) {
      connected = true;
      return;
    }
    const timer = setTimeout(
      () => outgoing.destroy(Object.assign(new Error("no connection was made in time"), { code: "ETIMEDOUT" })),
      CONNECT_TIMEOUT_MS,
    );
    socket.once(secure ? "secureConnect" : "connect", () => {
      connected = true;
      clearTimeout(timer);
    });
    socket.once("close", () => clearTimeout(timer));
  });
  return () => connected;
}
