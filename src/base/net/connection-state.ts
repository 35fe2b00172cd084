/** Whether something outside answers: a database, brokers, a cache. For the log, health, and metrics. */

/** State of a connection, as far as it shows. */
export interface ConnectionState {
  readonly connected: boolean;
  /** When it became so, milliseconds since the epoch. */
  readonly since: number;
  /** Why it is not connected; empty when it is. */
  readonly problem: string;
}

/** Keeps the state of a connection, and tells each change once. It begins as not connected. */
export class ConnectionWatch {
  readonly #changed: (state: ConnectionState) => void;
  #state: ConnectionState = { connected: false, since: Date.now(), problem: "not connected yet" };
  #isKnown = false;

  /** `changed` is called for the first thing that is known, and for every change from then on. */
  constructor(changed: (state: ConnectionState) => void) {
    this.#changed = changed;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** It answers. */
  up(): void {
    this.#become(true, "");
  }

  /** It does not. Another problem of one that is down already is no change. */
  down(problem: string): void {
    this.#become(false, problem);
  }

  #become(connected: boolean, problem: string): void {
    const isChange = !this.#isKnown || this.#state.connected !== connected;
    this.#isKnown = true;
    this.#state = { connected, since: isChange ? Date.now() : this.#state.since, problem };
    if (isChange) this.#changed(this.#state);
  }
}

/** Waits for an answer. When there is none after `ms`, `silent` is told so in words; the answer is still awaited. */
export async function noteSilence<T>(ms: number, ask: () => Promise<T>, silent: (problem: string) => void): Promise<T> {
  const timer = setTimeout(() => silent(`no answer for ${ms} ms`), ms);
  try {
    return await ask();
  } finally {
    clearTimeout(timer);
  }
}
