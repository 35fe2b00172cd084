/**
 * The heads of the lines: the waiting tasks that are handed out next. The tasks themselves are rows of the store; here
 * are at most {@link HEAD} of each line, in order, and whether the store has more behind them. Each handler of a queue,
 * and each set of labels that its tasks ask for, has a line of its own, so that tasks that nobody can do keep no others
 * from being handed out. Which labels there are is read from the rows.
 *
 * A row may be gone when its task is taken from here (the run was canceled, another look was quicker): the hand-over
 * finds out.
 */
import type { LabeledLine, Line, ReadyTask, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import { Head } from "./head.ts";
import type { Skills } from "./skills.ts";

/** The lines of a handler of a queue. */
interface Lines {
  /** By labels. */
  readonly heads: Map<string, Head>;
  /** All labels in the store are among them. */
  known: boolean;
  loading: Promise<void> | null;
}

/** Waiting tasks of the shards of this instance. */
export class WaitingTasks {
  readonly #lines = new Map<string, Lines>();
  readonly #store: WaitingTaskStore;
  readonly #shards: { readonly owned: readonly number[] };

  constructor(store: WaitingTaskStore, shards: { readonly owned: readonly number[] }) {
    this.#store = store;
    this.#shards = shards;
  }

  /** A task has come into its line. */
  add(task: ReadyTask): void {
    this.#headOf(task).add(task);
  }

  /** True when a task of at least this priority waits in the line. */
  hasBefore(task: ReadyTask): boolean {
    return this.#lines.get(keyOf(task))?.heads.get(task.labels)?.hasBefore(task) ?? false;
  }

  /** The first of the tasks of these lines that a worker with the skills can do; null: none is in memory. */
  peek(lines: readonly Line[], skills: Skills): ReadyTask | null {
    return this.#leaderOf(lines, skills)?.first ?? null;
  }

  /** Takes the first of the tasks of these lines that a worker with the skills can do; null: none is in memory. */
  take(lines: readonly Line[], skills: Skills): ReadyTask | null {
    return this.#leaderOf(lines, skills)?.take() ?? null;
  }

  /** What is in memory of a line, by labels. */
  *headsOf(
    line: Line,
  ): Generator<{ readonly labels: string; readonly first: ReadyTask | null; readonly count: number }> {
    for (const [labels, { first, count }] of this.#lines.get(keyOf(line))?.heads ?? []) yield { labels, first, count };
  }

  /** Whether the store should be asked before the next {@link take}. `skills`: only of what they suffice for. */
  isLow(line: Line, skills?: Skills): boolean {
    const { known, heads } = this.#linesOf(line);
    if (!known) return true;
    for (const [labels, head] of heads) if (head.isLow && skills?.has(labels) !== false) return true;
    return false;
  }

  /** Reads on behind the heads. */
  async fill(line: Line, skills?: Skills): Promise<void> {
    const lines = this.#linesOf(line);
    if (!lines.known) {
      lines.loading ??= this.#readLabels(line, lines).finally(() => {
        lines.loading = null;
      });
      await lines.loading;
    }
    const low = [...lines.heads].filter(([labels, head]) => head.isLow && skills?.has(labels) !== false);
    await Promise.all(low.map(([, head]) => head.fill()));
  }

  /** The store may have tasks of these lines that this instance has not seen. */
  forget(isMeant: (line: Line) => boolean = () => true): void {
    for (const lines of this.#lines.values()) {
      const heads = [...lines.heads.values()].filter((head) => isMeant(head.line));
      if (heads.length > 0) lines.known = false;
      for (const head of heads) head.forget();
    }
  }

  async #readLabels(line: Line, lines: Lines): Promise<void> {
    // Told anew while this is read: then it is read again.
    lines.known = true;
    try {
      for (const labels of await this.#store.listLabels(line)) this.#open({ ...line, labels }, lines.heads);
    } catch (error) {
      lines.known = false;
      throw error;
    }
  }

  #leaderOf(lines: readonly Line[], skills: Skills): Head | undefined {
    let best: Head | undefined;
    for (const line of lines)
      for (const [labels, head] of this.#lines.get(keyOf(line))?.heads ?? [])
        if (head.first !== null && skills.has(labels) && head.precedes(best)) best = head;
    return best;
  }

  #headOf(line: LabeledLine): Head {
    return this.#open(line, this.#linesOf(line).heads);
  }

  #open({ tenantId, queue, handler, labels }: LabeledLine, heads: Map<string, Head>): Head {
    const known = heads.get(labels);
    if (known !== undefined) return known;
    const line = { tenantId, queue, handler, labels };
    const head = new Head(line, async (after, limit) => {
      const { owned } = this.#shards;
      return owned.length === 0 ? [] : this.#store.listWaiting(owned, line, after, limit);
    });
    heads.set(labels, head);
    return head;
  }

  #linesOf({ tenantId, queue, handler }: Line): Lines {
    const key = keyOf({ tenantId, queue, handler });
    const found = this.#lines.get(key);
    if (found !== undefined) return found;
    const lines: Lines = { heads: new Map(), known: false, loading: null };
    this.#lines.set(key, lines);
    this.#open({ tenantId, queue, handler, labels: "" }, lines.heads);
    return lines;
  }
}

/** Names of queues and handlers hold no blanks. */
export function keyOf({ tenantId, queue, handler }: Line): string {
  return `${queue} ${handler} ${tenantId}`;
}
