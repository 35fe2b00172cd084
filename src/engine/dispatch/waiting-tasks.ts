/**
 * The heads of the lines: the waiting tasks that are handed out next. The tasks themselves are rows of the store; here
 * are at most {@link HEAD} of each line, in order, and whether the store has more behind them. Each handler of a queue
 * has a line of its own, so that tasks that nobody can do keep no others from being handed out.
 *
 * A row may be gone when its task is taken from here (the run was canceled, another look was quicker): the hand-over
 * finds out.
 */
import type { Line, ReadyTask, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";

/** Waiting tasks of a line in memory. */
const HEAD = 2_000;

/** With fewer in memory the store is asked for more. */
const LOW = 200;

/** The head of one line. */
interface Head {
  /** In order. */
  readonly tasks: ReadyTask[];
  /** The store may have tasks that are not here. */
  more: boolean;
  loading: Promise<void> | null;
}

/** Waiting tasks of the shards of this instance. */
export class WaitingTasks {
  readonly #heads = new Map<string, Head>();
  readonly #store: WaitingTaskStore;
  readonly #shards: { readonly owned: readonly number[] };

  constructor(store: WaitingTaskStore, shards: { readonly owned: readonly number[] }) {
    this.#store = store;
    this.#shards = shards;
  }

  /** A task has come into its line. */
  add(task: ReadyTask): void {
    const head = this.#headOf(task);
    const { tasks } = head;
    const last = tasks[tasks.length - 1];
    // Behind the head there may be others that come first.
    if (head.more && (last === undefined || isBefore(last, task))) return;
    tasks.splice(placeOf(tasks, task), 0, task);
    if (tasks.length <= HEAD) return;
    tasks.length = HEAD;
    head.more = true;
  }

  /** True when a task of at least this priority waits in the line. */
  hasBefore(task: ReadyTask): boolean {
    const head = this.#heads.get(keyOf(task));
    if (head === undefined) return false;
    const [first] = head.tasks;
    return first === undefined ? head.more : first.priority >= task.priority;
  }

  /** The first of the tasks of these lines; null: none is in memory. */
  peek(lines: readonly Line[]): ReadyTask | null {
    return this.#leaderOf(lines)?.tasks[0] ?? null;
  }

  /** Takes the first of the tasks of these lines; null: none is in memory. */
  take(lines: readonly Line[]): ReadyTask | null {
    return this.#leaderOf(lines)?.tasks.shift() ?? null;
  }

  /** How many tasks of the line are in memory. */
  countOf(line: Line): number {
    return this.#heads.get(keyOf(line))?.tasks.length ?? 0;
  }

  /** Whether the store should be asked before the next {@link take}. */
  isLow(line: Line): boolean {
    const head = this.#headOf(line);
    return head.more && head.tasks.length < LOW;
  }

  /** Reads on behind the head. */
  async fill(line: Line): Promise<void> {
    const head = this.#headOf(line);
    head.loading ??= this.#read(line, head).finally(() => {
      head.loading = null;
    });
    await head.loading;
  }

  /** The store may have tasks that this instance has not seen: its shards have changed. */
  forget(): void {
    for (const head of this.#heads.values()) {
      head.tasks.length = 0;
      head.more = true;
    }
  }

  async #read(line: Line, head: Head): Promise<void> {
    const { owned } = this.#shards;
    const after = head.tasks[head.tasks.length - 1] ?? null;
    // What comes meanwhile is read with the next page.
    const found = owned.length === 0 ? [] : await this.#store.listWaiting(owned, line, after, HEAD);
    head.more = found.length === HEAD;
    for (const task of found) if (!isThere(head.tasks, task)) head.tasks.splice(placeOf(head.tasks, task), 0, task);
  }

  #leaderOf(lines: readonly Line[]): Head | undefined {
    let best: Head | undefined;
    for (const line of lines) {
      const head = this.#heads.get(keyOf(line));
      const [first] = head?.tasks ?? [];
      const [leader] = best?.tasks ?? [];
      if (first !== undefined && (leader === undefined || isBefore(first, leader))) best = head;
    }
    return best;
  }

  #headOf(line: Line): Head {
    const key = keyOf(line);
    const known = this.#heads.get(key);
    if (known !== undefined) return known;
    const head: Head = { tasks: [], more: true, loading: null };
    this.#heads.set(key, head);
    return head;
  }
}

/** Names of queues and handlers hold no blanks. */
export function keyOf({ tenantId, queue, handler }: Line): string {
  return `${queue} ${handler} ${tenantId}`;
}

/** Whether what waits goes before other things that wait: by priority, then by time. */
export function goesBefore(
  a: Pick<ReadyTask, "priority" | "since">,
  b: Pick<ReadyTask, "priority" | "since"> | null,
): boolean {
  return b === null || a.priority > b.priority || (a.priority === b.priority && a.since < b.since);
}

/** The order of a line: priority, time, run, task. */
function isBefore(a: ReadyTask, b: ReadyTask): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.since !== b.since) return a.since < b.since;
  return a.runId === b.runId ? a.path < b.path : a.runId < b.runId;
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

function isThere(tasks: readonly ReadyTask[], { runId, path }: ReadyTask): boolean {
  return tasks.some((task) => task.runId === runId && task.path === path);
}
