/**
 * One call on the wire: an HTTP/2 stream with the framing of gRPC.
 *
 *   headers → message … → end of the sender → (headers → message …) → trailers
 *                    fail, at any moment → trailers, alone or after what was sent
 *
 * It ends exactly once. If its stream closes first, the caller has disconnected.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { type OrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { CallHeaders } from "../calls/caller.ts";
import { toRequestId } from "../calls/request-id.ts";
import { classifyError } from "../errors/status.ts";
import { DATA_HEADERS } from "../http/wire-error.ts";
import { ACCEPTED_ENCODINGS, expandMessage, MessageReader, PREFIX_BYTES } from "./message-reader.ts";
import { OK_TRAILERS, toTrailers } from "./trailers.ts";
import { MAX_REQUEST_BYTES, type UnreadAnswers } from "./unread.ts";

const HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
  ...DATA_HEADERS,
};
const WITH_TRAILERS = { waitForTrailers: true };

/** HTTP/2 code for resetting a stream without an error. */
const NO_ERROR = 0;

/** Receives what the caller sends. Errors that it throws end the call. */
export interface Receiver {
  /** A decompressed message. */
  message(bytes: Buffer): void;
  /** The caller has sent everything. */
  end(): void;
}

export interface StreamLimits {
  /** Largest message in either direction, bytes. */
  readonly maxMessageBytes: number;
  /** Largest payload of a request, bytes of JSON. */
  readonly maxPayloadBytes: number;
  /** How long a stream may wait for its reader, milliseconds. */
  readonly slowReaderMs: number;
}

/** A call on the wire. */
export class GrpcStream implements CallHeaders {
  /** Unread answers of the connection. */
  readonly unread: UnreadAnswers;
  /** The HTTP/2 stream, for back-pressure: `drain` and `close`. */
  readonly http2: ServerHttp2Stream;
  /** Called when the caller disconnects before the call has ended. */
  onGone: (() => void) | null = null;
  readonly #headers: IncomingHttpHeaders;
  readonly #limits: StreamLimits;
  readonly #log: Log;
  #trailers: OutgoingHttpHeaders | null = null;
  #unreadBytes = 0;
  #requestBytes = 0;
  #made: (() => void) | null = null;

  constructor(
    http2: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    limits: StreamLimits,
    log: Log,
    unread: UnreadAnswers,
  ) {
    this.http2 = http2;
    this.unread = unread;
    this.#headers = headers;
    this.#limits = limits;
    this.#log = log;
    http2.on("wantTrailers", () => http2.sendTrailers(this.#trailers ?? OK_TRAILERS));
    http2.on("close", () => {
      if (this.#trailers === null) this.onGone?.();
      if (this.#unreadBytes > 0) unread.remove(this.#unreadBytes);
      this.#made?.();
      unread.release(this.#requestBytes);
    });
    // `close` follows every error.
    http2.on("error", () => undefined);
  }

  /** The answer is made from now on: it counts among those of the connection until it is handed over. */
  make(): void {
    if (!this.http2.closed) this.#made ??= this.unread.make();
  }

  /** A header of the call. */
  get(name: string): string | string[] | undefined {
    return this.#headers[name];
  }

  /** Runs a step unless the call has ended. An error that it throws ends the call. */
  guard(step: () => void): void {
    if (this.#trailers !== null) return;
    try {
      step();
    } catch (error) {
      this.#failBy(error);
    }
  }

  /** Starts reading. */
  read(receiver: Receiver): void {
    const { maxMessageBytes } = this.#limits;
    let expanding: Promise<unknown> | null = null;
    const reader = new MessageReader(maxMessageBytes, (compressed, bytes) => {
      if (!compressed && expanding === null) {
        receiver.message(bytes);
        return;
      }
      const expand = async (): Promise<void> => {
        const message = compressed
          ? await expandMessage(bytes, String(this.get("grpc-encoding") ?? ""), maxMessageBytes)
          : bytes;
        if (this.#trailers === null) receiver.message(message);
      };
      expanding = (expanding ?? Promise.resolve()).then(expand).catch((error: unknown) => this.#failBy(error));
    });
    this.http2.on("data", (chunk: Buffer) => {
      this.guard(() => {
        if (this.#holds(chunk.length)) reader.push(chunk);
        else {
          // The others of the connection have its room.
          reader.drop();
          const what = `${MAX_REQUEST_BYTES} bytes of requests under way on one connection`;
          throw toError("OVERLOADED", { what }, { retryAfterMs: 1_000 });
        }
      });
    });
    this.http2.on("end", () => {
      const end = (): void => {
        reader.end();
        receiver.end();
      };
      if (expanding === null) this.guard(end);
      else void expanding.then(() => this.guard(end));
    });
  }

  /** Counts bytes of the request; without room for them, none of it counts any more. */
  #holds(bytes: number): boolean {
    const has = this.unread.hold(bytes);
    if (!has) this.unread.release(this.#requestBytes);
    this.#requestBytes = has ? this.#requestBytes + bytes : 0;
    return has;
  }

  /** Sends the headers, before the first message or with it. */
  open(): void {
    const { http2 } = this;
    if (this.#trailers === null && !http2.closed && !http2.headersSent) http2.respond(HEADERS, WITH_TRAILERS);
  }

  /**
   * Sends a message whose first {@link PREFIX_BYTES} are free for its prefix. Returns false if the reader is behind;
   * `drain` follows.
   */
  send(framed: Buffer): boolean {
    const { http2 } = this;
    if (http2.closed) return true;
    writePrefix(framed);
    this.open();
    return http2.write(framed);
  }

  /** Ends a successful call, with its last message if there is one; see {@link send}. */
  end(framed?: Buffer): void {
    if (this.#trailers !== null) return;
    this.#trailers = OK_TRAILERS;
    const { http2 } = this;
    if (http2.closed) return;
    if (!http2.headersSent) http2.respond(HEADERS, WITH_TRAILERS);
    if (framed === undefined) {
      http2.end();
      return;
    }
    writePrefix(framed);
    this.#unreadBytes = framed.length;
    this.unread.add(framed.length);
    http2.end(framed);
    this.#made?.();
  }

  /** Ends the call with an error. */
  fail(error: OrchestratorError, requestId = toRequestId(this.get("x-request-id"))): void {
    if (this.#trailers !== null) return;
    this.#trailers = this.#trailersOf(error, requestId);
    const { http2 } = this;
    if (http2.closed) return;
    this.#made?.();
    if (http2.headersSent) http2.end();
    else http2.respond({ ...HEADERS, ...this.#trailers }, { endStream: true });
    // If the caller is still sending, keep reading for a while, so that it receives the response first.
    if (!http2.readableEnded) {
      http2.resume();
      const timer = setTimeout(() => http2.close(NO_ERROR), this.#limits.slowReaderMs).unref();
      http2.once("close", () => clearTimeout(timer));
    }
  }

  /** An error whose trailers cannot be encoded still ends its call. */
  #trailersOf(error: OrchestratorError, requestId: string): OutgoingHttpHeaders {
    try {
      return toTrailers(error, requestId);
    } catch (thrown) {
      return toTrailers(classifyError(thrown, this.#log, String(this.get(":path")), { requestId }), requestId);
    }
  }

  /** Ends the call with an error that was thrown before the pipeline could classify it. */
  #failBy(thrown: unknown): void {
    const requestId = toRequestId(this.get("x-request-id"));
    this.fail(classifyError(thrown, this.#log, String(this.get(":path")), { requestId }), requestId);
  }
}

function writePrefix(framed: Buffer): void {
  framed[0] = 0;
  framed.writeUInt32BE(framed.length - PREFIX_BYTES, 1);
}
