/**
 * Answers that a connection's caller has not read, and those that are being made. HTTP/2 cannot stop reading a
 * connection, because the caller says there what it takes; so further calls of a caller that does not read wait, and
 * what waits is bounded by the streams that a connection may have.
 *
 * How large an answer is shows when it is made. So only {@link MAX_MADE} are made at the same time, whatever the caller
 * has sent before the first one came.
 */

/** Bytes of unread answers beyond which further calls of the connection wait. */
const MAX_UNREAD_BYTES = 4_194_304;

/** Answers of a connection that are made at the same time. */
const MAX_MADE = 100;

/** The unread answers of one connection. */
export class UnreadAnswers {
  #bytes = 0;
  #made = 0;
  readonly #waiting: (() => void)[] = [];

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
