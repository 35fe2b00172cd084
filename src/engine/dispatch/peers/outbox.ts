/** What waits for another instance. A later word about the same thing takes the place of an earlier one. */
import type { Line } from "../../ports/dispatch/hand-overs.ts";
import type { LentSession, PeerMessage, SentTask, SentWord, Want } from "../../ports/dispatch/peers.ts";
import { keyOf } from "../waiting-tasks.ts";

/** Bytes of input that one message carries, unless a single task has more. */
const MAX_BYTES = 1_000_000;

/** Messages for one instance. */
export class Outbox {
  readonly #served = new Map<string, { readonly line: Line; readonly served: boolean }>();
  readonly #wants = new Map<string, Want>();
  readonly #sessions = new Map<string, LentSession>();
  readonly #lent = new Map<string, number>();
  readonly #recalled = new Set<string>();
  readonly #disconnected = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #left = new Set<string>();
  readonly #tasks = new Map<string, SentTask>();
  readonly #returned = new Map<string, number>();
  #cancellations: SentWord[] = [];
  #releases: SentWord[] = [];
  #isEmpty = true;
  readonly #onWord: () => void;

  /** `onWord` is called with the first word after the box was empty. */
  constructor(onWord: () => void) {
    this.#onWord = onWord;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  serve(line: Line, served: boolean): void {
    this.#served.set(keyOf(line), { line, served });
    this.#word();
  }

  want(want: Want): void {
    this.#wants.set(`${keyOf(want)} ${want.labels}`, want);
    this.#word();
  }

  introduce(session: LentSession): void {
    this.#sessions.set(session.sessionId, session);
    this.#word();
  }

  lend(sessionId: string, total: number): void {
    this.#lent.set(sessionId, total);
    this.#word();
  }

  recall(sessionId: string): void {
    this.#recalled.add(sessionId);
    this.#word();
  }

  disconnect(sessionId: string): void {
    this.#disconnected.add(sessionId);
    this.#word();
  }

  /** `left`: its worker said goodbye. */
  end(sessionId: string, left: boolean): void {
    this.#ended.add(sessionId);
    if (left) this.#left.add(sessionId);
    this.#word();
  }

  send(task: SentTask): void {
    this.#tasks.set(task.token, task);
    this.#word();
  }

  /** Takes a task back. False when it is on its way already. */
  withdraw(token: string): boolean {
    return this.#tasks.delete(token);
  }

  cancel(word: SentWord): void {
    this.#cancellations.push(word);
    this.#word();
  }

  release(word: SentWord): void {
    this.#releases.push(word);
    this.#word();
  }

  giveBack(sessionId: string, total: number): void {
    this.#returned.set(sessionId, total);
    this.#word();
  }

  /** Takes out the next message. Tasks beyond its size stay. */
  take(): PeerMessage {
    const served = [...this.#served.values()];
    const message: PeerMessage = {
      served: served.flatMap((one) => (one.served ? [one.line] : [])),
      unserved: served.flatMap((one) => (one.served ? [] : [one.line])),
      wants: [...this.#wants.values()],
      sessions: [...this.#sessions.values()],
      lent: toCounts(this.#lent),
      recalled: [...this.#recalled],
      disconnected: [...this.#disconnected],
      ended: [...this.#ended],
      left: [...this.#left],
      tasks: this.#takeTasks(),
      cancellations: this.#cancellations,
      releases: this.#releases,
      returned: toCounts(this.#returned),
    };
    const tasks = [...this.#tasks.values()];
    this.clear();
    for (const task of tasks) this.#tasks.set(task.token, task);
    this.#isEmpty = tasks.length === 0;
    return message;
  }

  clear(): void {
    for (const part of [
      ...[this.#served, this.#wants, this.#sessions, this.#lent, this.#recalled],
      ...[this.#disconnected, this.#ended, this.#left, this.#tasks, this.#returned],
    ])
      part.clear();
    this.#cancellations = [];
    this.#releases = [];
    this.#isEmpty = true;
  }

  #takeTasks(): readonly SentTask[] {
    const taken: SentTask[] = [];
    let bytes = 0;
    for (const [token, sent] of this.#tasks) {
      bytes += sent.task.inputJson.length;
      if (taken.length > 0 && bytes > MAX_BYTES) break;
      taken.push(sent);
      this.#tasks.delete(token);
    }
    return taken;
  }

  #word(): void {
    if (!this.#isEmpty) return;
    this.#isEmpty = false;
    this.#onWord();
  }
}

function toCounts(counts: ReadonlyMap<string, number>): PeerMessage["lent"] {
  return [...counts].map(([sessionId, total]) => ({ sessionId, total }));
}
