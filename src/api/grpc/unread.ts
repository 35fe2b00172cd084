/**
 * Answers that a connection's caller has not read, and those that are being made. HTTP/2 cannot stop reading a
 * connection, because the caller says there what it takes; so further calls of a caller that does not read wait, and
 * what waits is bounded by the streams that a connection may have.
 *
 * Requests that are under way are bounded, too: what a connection has sent and has no answer to yet. A call beyond that
 * is refused at once, because its bytes cannot wait on the wire.
 *
 * How large an answer is shows when it is made. So only {@link MAX_MADE} are made at the same time, whatever the caller
 * has sent before the first one came.
 */

/** Bytes of unread answers beyond which further calls of the connection wait. */
const MAX_UNREAD_BYTES = 4_194_304;

/** Answers of a connection that are made at the same time. */
const MAX_MADE = 100;

/** Bytes of requests of a connection that are under way. */
export const MAX_REQUEST_BYTES = 67_108_864;

/** The unread answers of one connection. */
export class UnreadAnswers {
  #requestBytes = 0;
  #bytes = 0;
  #made = 0;
  readonly #waiting: (() => void)[] = [];

  /** Bytes of a request came. False: there are too many, and they do not count. */
  hold(bytes: number): boolean {
    if (this.#requestBytes + bytes > MAX_REQUEST_BYTES) return false;
    this.#requestBytes += bytes;
    return true;
  }

  /** The stream of a request has closed. */
  release(bytes: number): void {
    this.#requestBytes -= bytes;
  }

  /** Calls `start` at once, or when enough of the answers before were read. */
  admit(start: () => void): void {
    this.#waiting.push(start);
    this.#next();
  }

  /** The answer of a call is made from now on, until the returned function is called. */
  make(): () => void {
    this.#made += 1;
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      this.#made -= 1;
      this.#next();
    };
  }

  /** An answer was handed to the connection. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** An answer was read, or its stream has closed. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    this.#next();
  }

  #next(): void {
    while (this.#bytes <= MAX_UNREAD_BYTES && this.#made < MAX_MADE) {
      const start = this.#waiting.shift();
      if (start === undefined) return;
      start();
    }
  }
}
