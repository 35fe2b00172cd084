/**
 * The heads of the queues: the waiting tasks that are handed out next. The tasks themselves are rows of the store; here
 * are at most {@link HEAD} of each queue, in order, and whether the store has more behind them.
 *
 * A row may be gone when its task is taken from here (the run was canceled, another look was quicker): the hand-over
 * finds out.
 */
import type { ReadyTask, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";

/** Waiting tasks of a queue in memory. */
const HEAD = 2_000;

/** With fewer in memory the store is asked for more. */
const LOW = 200;

/** The head of one queue. */
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

  /** A task has come into its queue. */
  add(task: ReadyTask): void {
    const head = this.#headOf(task.queue);
    const { tasks } = head;
    const last = tasks[tasks.length - 1];
    // Behind the head there may be others that come first.
    if (head.more && (last === undefined || isBefore(last, task))) return;
    tasks.splice(placeOf(tasks, task), 0, task);
    if (tasks.length <= HEAD) return;
    tasks.length = HEAD;
    head.more = true;
  }

  /** True when a task of at least this priority waits in the queue. */
  hasBefore({ queue, priority }: ReadyTask): boolean {
    const head = this.#heads.get(queue);
    if (head === undefined) return false;
    const [first] = head.tasks;
    return first === undefined ? head.more : first.priority >= priority;
  }

  /** Takes the next task that fits out of the head. */
  take(queue: string, fits: (task: ReadyTask) => boolean): ReadyTask | null {
    const head = this.#heads.get(queue);
    if (head === undefined) return null;
    const index = head.tasks.findIndex(fits);
    return index < 0 ? null : (head.tasks.splice(index, 1)[0] ?? null);
  }

  /** Whether the store should be asked before the next {@link take}. */
  isLow(queue: string): boolean {
    const head = this.#headOf(queue);
    return head.more && head.tasks.length < LOW;
  }

  /** Reads on behind the head. Resolves with whether there is anything more to take. */
  async fill(queue: string): Promise<void> {
    const head = this.#headOf(queue);
    head.loading ??= this.#read(queue, head).finally(() => {
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

  async #read(queue: string, head: Head): Promise<void> {
    const { owned } = this.#shards;
    const after = head.tasks[head.tasks.length - 1] ?? null;
    // What comes meanwhile is read with the next page.
    const found = owned.length === 0 ? [] : await this.#store.listWaiting(owned, queue, after, HEAD);
    head.more = found.length === HEAD;
    for (const task of found) if (!isThere(head.tasks, task)) head.tasks.splice(placeOf(head.tasks, task), 0, task);
  }

  #headOf(queue: string): Head {
    const known = this.#heads.get(queue);
    if (known !== undefined) return known;
    const head: Head = { tasks: [], more: true, loading: null };
    this.#heads.set(queue, head);
    return head;
  }
}

/** The order of a queue: priority, time, run, task. */
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
