/** What is to be sent to another instance. A later message about the same thing replaces an earlier one. */
import type { Line } from "../../ports/dispatch/hand-overs.ts";
import type { LentSession, LostTask, PeerMessage, SentTask, TaskNotice, Want } from "../../ports/dispatch/peers.ts";
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
  #cancellations: TaskNotice[] = [];
  #releases: TaskNotice[] = [];
  #lost: LostTask[] = [];
  #isEmpty = true;
  readonly #onFirst: () => void;

  /** `onFirst` is called when the first message is added to the empty box. */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst;
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  serve(line: Line, served: boolean): void {
    this.#served.set(keyOf(line), { line, served });
    this.#added();
  }

  want(want: Want): void {
    this.#wants.set(`${keyOf(want)} ${want.labels}`, want);
    this.#added();
  }

  introduce(session: LentSession): void {
    this.#sessions.set(session.sessionId, session);
    this.#added();
  }

  lend(sessionId: string, total: number): void {
    this.#lent.set(sessionId, total);
    this.#added();
  }

  recall(sessionId: string): void {
    this.#recalled.add(sessionId);
    this.#added();
  }

  disconnect(sessionId: string): void {
    this.#disconnected.add(sessionId);
    this.#added();
  }

  /** `left`: its worker said goodbye. */
  end(sessionId: string, left: boolean): void {
    this.#ended.add(sessionId);
    if (left) this.#left.add(sessionId);
    this.#added();
  }

  lose(task: LostTask): void {
    this.#lost.push(task);
    this.#added();
  }

  send(task: SentTask): void {
    this.#tasks.set(task.token, task);
    this.#added();
  }

  /** Takes a task back. False if it has already been sent. */
  withdraw(token: string): boolean {
    return this.#tasks.delete(token);
  }

  cancel(notice: TaskNotice): void {
    this.#cancellations.push(notice);
    this.#added();
  }

  release(notice: TaskNotice): void {
    this.#releases.push(notice);
    this.#added();
  }

  returnSlots(sessionId: string, total: number): void {
    this.#returned.set(sessionId, total);
    this.#added();
  }

  /** Removes and returns the next message. Tasks beyond its size limit stay. */
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
      lost: this.#lost,
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
    this.#lost = [];
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

  #added(): void {
    if (!this.#isEmpty) return;
    this.#isEmpty = false;
    this.#onFirst();
  }
}

function toCounts(counts: ReadonlyMap<string, number>): PeerMessage["lent"] {
  return [...counts].map(([sessionId, total]) => ({ sessionId, total }));
}
