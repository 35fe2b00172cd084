/**
 * Answers that a connection's caller has not read. HTTP/2 cannot stop reading a connection, because the caller says
 * there what it takes; so further calls of a caller that does not read wait, and what waits is bounded by the streams
 * that a connection may have.
 */

/** Bytes of unread answers beyond which further calls of the connection wait. */
const MAX_UNREAD_BYTES = 4_194_304;

/** The unread answers of one connection. */
export class UnreadAnswers {
  #bytes = 0;
  readonly #waiting: (() => void)[] = [];

  /** Calls `start` at once, or when enough of the answers before were read. */
  admit(start: () => void): void {
    if (this.#bytes > MAX_UNREAD_BYTES) this.#waiting.push(start);
    else start();
  }

  /** An answer was handed to the connection. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** An answer was read, or its stream has closed. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    while (this.#bytes <= MAX_UNREAD_BYTES) {
      const start = this.#waiting.shift();
      if (start === undefined) return;
      start();
    }
  }
}
