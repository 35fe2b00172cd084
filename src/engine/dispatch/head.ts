/**
 * The head of one line: the tasks that go first, in order.
 *
 *   more    the store may have tasks behind those that are here
 *   stale   the store has tasks with a fairness key that are not here, since only it knows when they have their turn:
 *           the head is read anew, at most every {@link AGAIN_MS}
 */
import type { LabeledLine, ReadyTask } from "../ports/dispatch/hand-overs.ts";

/** Waiting tasks of a line in memory. */
const HEAD = 2_000;

/** With fewer in memory the store is asked for more. */
const LOW = 200;

/** A stale head is read anew no sooner than this after it was, milliseconds. */
const AGAIN_MS = 200;

/** Reads waiting tasks of the line, in order, from the one after `after`. */
export type ReadLine = (after: ReadyTask | null, limit: number) => Promise<readonly ReadyTask[]>;

/** The tasks of a line that go first. */
export class Head {
  readonly line: LabeledLine;
  readonly #read: ReadLine;
  /** In order. */
  #tasks: ReadyTask[] = [];
  #more = true;
  #stale = false;
  #readAt = 0;
  #loading: Promise<void> | null = null;
  /** {@link forget} was called since the store was asked. */
  #forgotten = false;
  /** What came since the store was asked. */
  #added: ReadyTask[] = [];
  /** What was taken before and since the store was asked last: the rows may still be there. */
  #gone: Set<string> = new Set();
  #goneBefore: Set<string> = new Set();

  constructor(line: LabeledLine, read: ReadLine) {
    this.line = line;
    this.#read = read;
  }

  get first(): ReadyTask | null {
    return this.#tasks[0] ?? null;
  }

  get count(): number {
    return this.#tasks.length;
  }

  /** Whether the store should be asked before the next task is taken. */
  get isLow(): boolean {
    if (this.#more && this.#tasks.length < LOW) return true;
    return this.#stale && (this.#tasks.length === 0 || performance.now() - this.#readAt > AGAIN_MS);
  }

  /** A task has come. */
  add(task: ReadyTask): void {
    if (task.fairnessKey !== "") {
      // One that was taken may be back.
      for (const gone of [this.#gone, this.#goneBefore]) gone.delete(nameOf(task));
      this.#stale = true;
      return;
    }
    if (this.#loading !== null) this.#added.push(task);
    const last = this.#tasks[this.#tasks.length - 1];
    // Behind the head there may be others that come first.
    if (this.#more && (last === undefined || isBefore(last, task))) return;
    this.#tasks.splice(placeOf(this.#tasks, task), 0, task);
    if (this.#tasks.length <= HEAD) return;
    this.#tasks.length = HEAD;
    this.#more = true;
  }

  /** True when a task of at least this priority waits. */
  hasBefore(task: ReadyTask): boolean {
    const { first } = this;
    return first === null ? this.#more || this.#stale : first.priority >= task.priority;
  }

  /** The store may have tasks that were not seen here. */
  forget(): void {
    this.#tasks = [];
    this.#more = true;
    this.#forgotten = true;
  }

  take(): ReadyTask | null {
    const task = this.#tasks.shift() ?? null;
    if (task !== null && task.fairnessKey !== "") this.#gone.add(nameOf(task));
    return task;
  }

  /** Whether its first task goes before that of the other; it has one. */
  precedes(other: Head | undefined): boolean {
    const [mine, theirs] = [this.first, other?.first ?? null];
    return mine !== null && (theirs === null || isBefore(mine, theirs));
  }

  /** Reads on, or anew. */
  async fill(): Promise<void> {
    this.#loading ??= this.#fill().finally(() => {
      this.#loading = null;
      this.#added = [];
    });
    await this.#loading;
  }

  async #fill(): Promise<void> {
    const anew = this.#stale;
    this.#stale = false;
    this.#goneBefore = this.#gone;
    this.#gone = new Set();
    const after = anew ? null : (this.#tasks[this.#tasks.length - 1] ?? null);
    this.#forgotten = false;
    const found = await this.#ask(after, anew);
    this.#readAt = performance.now();
    // What was read may lack something: all of it is read again.
    if (this.#forgotten) return;
    this.#more = found.length === HEAD;
    const last = found[found.length - 1];
    // Those that come behind what was read are read with the next page.
    const isNear = (task: ReadyTask): boolean => !this.#more || last === undefined || isBefore(task, last);
    const others = anew ? this.#added : [...this.#tasks, ...this.#added];
    const rows = anew ? found.filter((task) => !this.#isGone(task)) : found;
    this.#tasks = merge(rows, others.filter(isNear));
  }

  async #ask(after: ReadyTask | null, anew: boolean): Promise<readonly ReadyTask[]> {
    try {
      return await this.#read(after, HEAD);
    } catch (error) {
      if (anew) this.#stale = true;
      throw error;
    }
  }

  #isGone(task: ReadyTask): boolean {
    const name = nameOf(task);
    return this.#gone.has(name) || this.#goneBefore.has(name);
  }
}

/** Whether what waits goes before other things that wait: by priority, then by turn. */
export function precedes(
  a: Pick<ReadyTask, "priority" | "turn">,
  b: Pick<ReadyTask, "priority" | "turn"> | null,
): boolean {
  return b === null || a.priority > b.priority || (a.priority === b.priority && a.turn < b.turn);
}

/** The order of a line: priority, turn, time, run, task. */
function isBefore(a: ReadyTask, b: ReadyTask): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.turn !== b.turn) return a.turn < b.turn;
  if (a.since !== b.since) return a.since < b.since;
  return a.runId === b.runId ? a.path < b.path : a.runId < b.runId;
}

/** Both in one order, without repetition. */
function merge(found: readonly ReadyTask[], others: readonly ReadyTask[]): ReadyTask[] {
  const names = new Set(found.map(nameOf));
  const tasks = [...found];
  for (const task of others) {
    const name = nameOf(task);
    if (names.has(name)) continue;
    names.add(name);
    tasks.splice(placeOf(tasks, task), 0, task);
  }
  return tasks;
}

function nameOf({ runId, path }: ReadyTask): string {
  return `${runId} ${path}`;
}

function placeOf(tasks: readonly ReadyTask[], task: ReadyTask): number {
  let low = 0;
  let high = tasks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(tasks[middle] as ReadyTask, task)) low = middle + 1;
    else high = middle;
  }
  return low;
}
