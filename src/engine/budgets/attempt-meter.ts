/**
 * Counts the attempts of runs whose budgets limit steps or time: each one reserves a step and the time that it may take
 * in all of these budgets, or does not begin.
 *
 *   asked ──fits everywhere──→ under way ──ended──→ a step, and the time that it took, are charged
 *     │                         └── the instance dies ──→ the next owner of the run charges what it may have taken
 *     ├── does not fit while other attempts are under way → waits for them
 *     └── does not fit, nothing is under way → the run is held until somebody raises the budget
 *
 * A run and its child runs belong to one instance, so what an attempt waits for ends there. What instances before it
 * have left is looked for when a run is read. Attempts are collected: while one transaction is in flight, the next one
 * fills.
 */
import { randomUUID } from "node:crypto";
import type { Log } from "../../base/log.ts";
import type {
  Admission,
  AttemptChanges,
  AttemptCost,
  AttemptLedger,
  AttemptMeter,
  AttemptQuery,
  BegunAttempt,
  CountedAttempt,
  OpenAttempt,
} from "../ports/models/attempts.ts";
import type { Amount, Budget, BudgetHolds, BudgetKey, BudgetLimits, RaisableBudget } from "../ports/models/budgets.ts";
import { Allotment, NOTHING, nameOf, type Shortage } from "./allot.ts";
import { explainShortage } from "./explain-shortage.ts";
import type { BudgetMetrics } from "./meter.ts";
import { runBudgetOf } from "./run-budgets.ts";

export interface AttemptMeterParts {
  readonly ledger: AttemptLedger;
  readonly holds: BudgetHolds;
  readonly metrics: Pick<BudgetMetrics, "refused">;
  /** A budget has just been used up to four fifths by an attempt of this run. */
  readonly warn: (budget: RaisableBudget, runId: string) => void;
  readonly log: Log;
  readonly isStopping: () => boolean;
}

/** How long an attempt waits at most before it asks again, milliseconds: the budget may have been raised. */
const ASK_AGAIN_MS = 500;

/** Pause before a transaction is repeated that failed, milliseconds. */
const RETRY_MS = 500;

/** Most attempts of one transaction. */
const MAX_BATCH = 500;

interface Asked {
  readonly attempt: CountedAttempt;
  /** Null: it does not wait. */
  readonly signal: AbortSignal | null;
  readonly answer: (admission: Admission) => void;
}

interface Ended {
  readonly attempt: BegunAttempt;
  readonly cost: AttemptCost;
}

interface Read {
  readonly run: Omit<BegunAttempt, "key">;
  readonly going: ReadonlySet<string>;
}

/** Counts the attempts of an instance. */
export class CountingMeter implements AttemptMeter {
  readonly #parts: AttemptMeterParts;
  #asked: Asked[] = [];
  #ended: Ended[] = [];
  #read: Read[] = [];
  #waiting: Asked[] = [];
  #flushing: Promise<void> | null = null;
  /** Ids of the attempts of this instance that are under way, by key. */
  readonly #live = new Map<string, string>();
  /** Attempts that did not begin, because nobody knew whether their transaction had committed. */
  readonly #unmade = new Set<string>();

  constructor(parts: AttemptMeterParts) {
    this.#parts = parts;
  }

  admit(attempt: CountedAttempt, signal?: AbortSignal): Promise<Admission> {
    const { promise, resolve, reject } = Promise.withResolvers<Admission>();
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const answer = (admission: Admission): void => {
      signal?.removeEventListener("abort", onAbort);
      // Nobody makes the attempt any more.
      if (signal?.aborted === true && admission.ok) this.end(attempt, { steps: 0, timeMs: 0 });
      resolve(admission);
    };
    this.#asked.push({ attempt, signal: signal ?? null, answer });
    this.#flush();
    return promise;
  }

  end(attempt: BegunAttempt, cost: AttemptCost): void {
    this.#ended.push({ attempt, cost });
    this.#flush();
  }

  settleLost(run: Omit<BegunAttempt, "key">, going: ReadonlySet<string>): void {
    this.#read.push({ run, going });
    this.#flush();
  }

  /** Resolves when nothing is to be written any more. */
  async close(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  #flush(): void {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = null;
      if (this.#isDue) this.#flush();
    });
  }

  get #isDue(): boolean {
    return this.#asked.length + this.#ended.length + this.#read.length > 0;
  }

  async #flushAll(): Promise<void> {
    // Attempts of the same turn share a transaction.
    await Promise.resolve();
    while (this.#isDue) {
      const ended = this.#ended.splice(0, MAX_BATCH);
      const read = this.#read.splice(0, MAX_BATCH);
      const asked = this.#asked.splice(0, MAX_BATCH).filter(({ signal }) => signal?.aborted !== true);
      if (!(await this.#transact(asked, ended, read))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Returns whether the transaction has committed. */
  async #transact(asked: readonly Asked[], ended: readonly Ended[], read: readonly Read[]): Promise<boolean> {
    const { ledger, log, isStopping } = this.#parts;
    let turn: Turn = NO_TURN;
    try {
      await ledger.transact(queryOf(asked, ended, read), (budgets, open) => {
        turn = this.#decide(new Allotment(budgets), open, asked, ended, read);
        return turn.changes;
      });
    } catch (error) {
      for (const { attemptId, key } of turn.changes.opened) {
        this.#unmade.add(attemptId);
        if (this.#live.get(key) === attemptId) this.#live.delete(key);
      }
      const count = asked.length + ended.length + read.length;
      log.warn("the budgets of attempts cannot be written; attempts wait", { error, count });
      if (!isStopping()) {
        this.#ended.unshift(...ended);
        this.#read.unshift(...read);
      }
      for (const { answer } of asked) answer({ ok: false, isFinal: false, type: "BUDGETS_UNAVAILABLE", message: AWAY });
      return false;
    }
    for (const id of turn.changes.ended) this.#unmade.delete(id);
    for (const { attempt } of ended) if (turn.settled.has(attempt.key)) this.#live.delete(attempt.key);
    for (const tell of turn.told) tell();
    if (turn.changes.ended.length > 0) this.#askAgain();
    return true;
  }

  #decide(
    allotment: Allotment,
    open: readonly OpenAttempt[],
    asked: readonly Asked[],
    ended: readonly Ended[],
    read: readonly Read[],
  ): Turn {
    const { metrics, warn } = this.#parts;
    const told: (() => void)[] = [];
    const settled = new Set<string>();
    const left = new Map(open.map((one) => [one.attemptId, one]));
    const endedIds: string[] = [];
    const end = (one: OpenAttempt, cost: AttemptCost): void => {
      left.delete(one.attemptId);
      endedIds.push(one.attemptId);
      const reserved = amountOf({ steps: 1, timeMs: one.reservedTimeMs });
      const used = amountOf(this.#unmade.has(one.attemptId) ? NO_COST : cost);
      for (const budget of allotment.settle({ charged: keysOf(one), reserved }, used))
        told.push(() => warn(budget, one.runId));
    };
    for (const { attempt, cost } of ended) {
      settled.add(attempt.key);
      const id = this.#live.get(attempt.key);
      for (const one of [...left.values()])
        if (one.key === attempt.key && (id === undefined || one.attemptId === id)) end(one, cost);
    }
    const isLive = (one: OpenAttempt): boolean => this.#live.get(one.key) === one.attemptId;
    for (const { run, going } of read) {
      const ids = new Set(run.budgets.map(({ runId }) => runId));
      const isLost = (one: OpenAttempt): boolean =>
        !one.handedOut || one.isRunOver || (one.runId === run.runId && !going.has(one.key));
      for (const one of [...left.values()])
        if (!isLive(one) && one.charged.some((id) => ids.has(id)) && isLost(one)) end(one, wholeOf(one));
    }
    const opened: OpenAttempt[] = [];
    const waiting: (BudgetKey & { readonly runId: string })[] = [];
    for (const one of asked) {
      const { attempt, answer } = one;
      // What has its key has been left by an instance that is gone, or by a transaction that failed.
      for (const lost of [...left.values()]) if (lost.key === attempt.key && !isLive(lost)) end(lost, wholeOf(lost));
      const budgets = attempt.budgets.map((budget): BudgetKey => runBudgetOf(attempt.tenantId, budget));
      const timeMs = timeOf(
        budgets.flatMap((key) => allotment.get(key) ?? []),
        attempt.mostMs,
      );
      const shortage = allotment.reserve(budgets, amountOf({ steps: 1, timeMs: timeMs ?? 0 }));
      if (shortage === null) {
        const attemptId = randomUUID();
        const { key, tenantId, runId, handedOut } = attempt;
        const charged = budgets.map(({ id }) => id);
        const reservedTimeMs = timeMs ?? 0;
        const begun = { attemptId, key, tenantId, runId, reservedTimeMs, charged, handedOut };
        opened.push({ ...begun, ageMs: 0, isRunOver: false });
        this.#live.set(key, attemptId);
        told.push(() => answer({ ok: true, mostMs: timeMs }));
      } else if (shortage.mayFitLater) {
        told.push(() => {
          metrics.refused("run", "deferred");
          if (one.signal === null) answer(refused(shortage));
          else this.#wait(one);
        });
      } else {
        const { tenantId, scope, id } = shortage.budget;
        waiting.push({ tenantId, scope, id, runId: attempt.runId });
        told.push(() => void this.#hold(attempt, shortage, answer));
      }
    }
    return { changes: { budgets: allotment.changed, opened, ended: endedIds, waiting }, told, settled };
  }

  async #hold({ tenantId, runId }: CountedAttempt, shortage: Shortage, answer: Asked["answer"]): Promise<void> {
    const { holds, metrics, log } = this.#parts;
    metrics.refused("run", "held");
    try {
      await holds.hold(runId, explainShortage(shortage));
    } catch (error) {
      // The shard has left, or the run has ended. Otherwise, the attempt is made again and finds the same.
      log.debug("a run could not be held for want of a budget", { tenantId, runId, error });
    }
    answer(refused(shortage));
  }

  #wait(one: Asked): void {
    this.#waiting.push(one);
    if (this.#waiting.length === 1) setTimeout(() => this.#askAgain(), ASK_AGAIN_MS);
  }

  #askAgain(): void {
    if (this.#waiting.length === 0) return;
    this.#asked.push(...this.#waiting.splice(0));
    this.#flush();
  }
}

interface Turn {
  readonly changes: AttemptChanges;
  /** What is to be told once the transaction is durable. */
  readonly told: readonly (() => void)[];
  /** Keys of attempts that have ended. */
  readonly settled: ReadonlySet<string>;
}

const NO_TURN: Turn = {
  changes: { budgets: [], opened: [], ended: [], waiting: [] },
  told: [],
  settled: new Set(),
};

const NO_COST: AttemptCost = { steps: 0, timeMs: 0 };

const AWAY = "the ledger of budgets cannot be reached; the attempt begins once it can be";

function refused(shortage: Shortage): Admission {
  const isFinal = !shortage.mayFitLater;
  const type = isFinal ? "BUDGET_EXHAUSTED" : "BUDGET_IN_USE";
  return { ok: false, isFinal, type, message: explainShortage(shortage) };
}

function amountOf({ steps, timeMs }: Pick<Amount, "steps" | "timeMs">): Amount {
  return { ...NOTHING, steps, timeMs: Math.ceil(timeMs) };
}

/** What an attempt may have taken of which nothing is known: no longer than since it began. */
function wholeOf({ reservedTimeMs, ageMs }: OpenAttempt): AttemptCost {
  return { steps: 1, timeMs: Math.min(reservedTimeMs, Math.max(0, ageMs)) };
}

/** The time that an attempt reserves, milliseconds: what it may take, at most what is left; null: there is no limit. */
function timeOf(budgets: readonly Budget[], mostMs: number | null): number | null {
  const left = budgets.flatMap(({ maxTimeMs, settled, reserved }) =>
    maxTimeMs === null ? [] : [maxTimeMs - settled.timeMs - reserved.timeMs],
  );
  if (left.length === 0) return null;
  return Math.max(1, Math.floor(Math.min(...left, mostMs ?? Number.POSITIVE_INFINITY)));
}

function keysOf({ tenantId, charged }: OpenAttempt): readonly BudgetKey[] {
  return charged.map((id) => ({ tenantId, scope: "run", id }));
}

function queryOf(asked: readonly Asked[], ended: readonly Ended[], read: readonly Read[]): AttemptQuery {
  const attempts = [...asked, ...ended].map(({ attempt }) => attempt);
  const runs = [...attempts, ...read.map(({ run }) => run)];
  const budgets = new Map<string, BudgetKey & BudgetLimits>();
  for (const { tenantId, budgets: all } of runs)
    for (const one of all) {
      const budget = runBudgetOf(tenantId, one);
      budgets.set(nameOf(budget), budget);
    }
  return {
    budgets: [...budgets.values()],
    missing: asked.length === 0 ? [] : [...budgets.values()],
    keys: attempts.map(({ key }) => key),
    chargedTo: [...new Set(read.flatMap(({ run }) => run.budgets.map(({ runId }) => runId)))],
  };
}
