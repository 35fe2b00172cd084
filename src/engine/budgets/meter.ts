/**
 * The meter of calls to models: each call reserves what it may cost in all budgets that it is charged to, and settles
 * what it did cost.
 *
 *   asked ──fits everywhere──→ open ──settled──→ what it used is charged
 *     │                         └── the instance dies ──→ the whole reserve is charged, once the call is repeated or
 *     │                             the instance is known to be gone
 *     ├── does not fit while other calls are under way, or into this minute → deferred; a later call of an attempt
 *     │   asks again
 *     ├── does not fit, nothing is under way → the run is held until somebody raises the budget
 *     └── has no price, and a budget limits its cost, or may use more tokens than a minute has → refused
 *
 * Calls are collected: while one transaction of the ledger is in flight, the next one fills.
 */
import { randomUUID } from "node:crypto";
import type { Log } from "../../base/log.ts";
import type { Outcome } from "../machine/events.ts";
import type {
  Budget,
  BudgetHolds,
  BudgetKey,
  BudgetLedger,
  BudgetLimits,
  CallSettlement,
  LedgerChanges,
  LedgerQuery,
  LedgerView,
  NewCall,
  OpenCall,
  RaisableBudget,
} from "../ports/models/budgets.ts";
import type { MeteredCall, ModelMeter, ModelUsage, Reserved } from "../ports/models/meter.ts";
import { retryUntil } from "../shard/retry-until.ts";
import { Allotment, amountOf, NOTHING, nameOf, type Shortage } from "./allot.ts";
import { explainShortage } from "./explain-shortage.ts";
import { explainTooLarge, minuteOf, untilNextMinuteMs } from "./minutes.ts";
import { reserveOf } from "./reserve.ts";
import { runBudgetOf } from "./run-budgets.ts";

/** What is counted. */
export interface BudgetMetrics {
  /** A call ended; `costMicros` is null where the model has no price. */
  settled(call: MeteredCall, usage: ModelUsage): void;
  /** A call used more than it had reserved. */
  overran(call: MeteredCall): void;
  /** A call was not made: `deferred`, `held`, `unpriced`, or `too_large` for any minute. */
  refused(scope: BudgetKey["scope"], how: "deferred" | "held" | "unpriced" | "too_large"): void;
  /** Calls whose instance died were charged in full. */
  abandoned(count: number): void;
}

export interface BudgetMeterParts {
  readonly ledger: BudgetLedger;
  readonly holds: BudgetHolds;
  readonly metrics: BudgetMetrics;
  /** A call of this run has just used a budget up to four fifths. */
  readonly warn: (budget: RaisableBudget, runId: string) => void;
  readonly log: Log;
  /** Milliseconds since the epoch by the clock of the database. */
  now(): number;
  /** Whether the instance is stopping: what cannot be settled then is charged in full later. */
  isStopping(): boolean;
}

/** How long a call waits that may fit once another one is settled, milliseconds. */
const BUSY_MS = 500;

/** How long a call is deferred while the ledger cannot be reached, milliseconds. */
const AWAY_DEFER_MS = 1_000;

/** Most calls of one transaction. */
const MAX_BATCH = 500;

type Answer = (reserved: Reserved) => void;

interface Asked {
  readonly call: MeteredCall;
  readonly signal: AbortSignal;
  readonly answer: Answer;
}

interface Ended extends CallSettlement {
  readonly open: OpenCall;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** What is to be told once a transaction is durable. */
type Told = () => void;

/** Meters the calls of an instance. */
export class BudgetMeter implements ModelMeter {
  readonly #parts: BudgetMeterParts;
  #asked: Asked[] = [];
  #ended: Ended[] = [];
  #flushing: Promise<void> | null = null;
  /** Calls of this instance that are under way. */
  readonly #live = new Set<string>();
  /** Calls that were not made, because nobody knew whether their transaction had committed. */
  readonly #unmade = new Set<string>();

  constructor(parts: BudgetMeterParts) {
    this.#parts = parts;
  }

  reserve(call: MeteredCall, signal: AbortSignal): Promise<Reserved> {
    const { promise, resolve, reject } = Promise.withResolvers<Reserved>();
    if (signal.aborted) return Promise.reject(signal.reason);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const answer: Answer = (reserved) => {
      signal.removeEventListener("abort", onAbort);
      resolve(reserved);
    };
    this.#asked.push({ call, signal, answer });
    this.#flush();
    return promise;
  }

  /** Charges calls whose instance is gone in full. Returns their number. */
  async chargeAbandoned(): Promise<number> {
    const { ledger, metrics, now } = this.#parts;
    const open = await ledger.listAbandoned(MAX_BATCH);
    if (open.length === 0) return 0;
    let count = 0;
    await ledger.transact(queryOf([], open, now()), (view) => {
      const allotment = new Allotment(view.budgets);
      const settled = view.open.map((one): CallSettlement => {
        const usage = wholeOf(one);
        allotment.settle(one, amountOf(usage));
        return { callId: one.callId, usage };
      });
      count = settled.length;
      return { budgets: allotment.changed, opened: [], settled, waiting: [] };
    });
    metrics.abandoned(count);
    return count;
  }

  /** Resolves when nothing is to be written any more. */
  async close(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  #flush(): void {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = null;
      if (this.#asked.length + this.#ended.length > 0) this.#flush();
    });
  }

  async #flushAll(): Promise<void> {
    // Calls of the same turn share a transaction.
    await Promise.resolve();
    while (this.#asked.length + this.#ended.length > 0) {
      const ended = this.#ended.splice(0, MAX_BATCH);
      const asked = this.#asked.splice(0, MAX_BATCH).filter(({ signal }) => !signal.aborted);
      await this.#transact(asked, ended);
    }
  }

  async #transact(asked: readonly Asked[], ended: readonly Ended[]): Promise<void> {
    const { ledger, log, now } = this.#parts;
    const askedAt = now();
    let told: readonly Told[] = [];
    let opened: readonly NewCall[] = [];
    const calls = asked.map(({ call }) => call);
    const open = ended.map((one) => one.open);
    const unmade = [...this.#unmade];
    const query = queryOf(calls, open, askedAt);
    try {
      await ledger.transact({ ...query, callIds: [...query.callIds, ...unmade] }, (view) => {
        const turn = this.#decide(view, asked, ended, askedAt);
        ({ told } = turn);
        ({ opened } = turn.changes);
        return turn.changes;
      });
      for (const callId of unmade) this.#unmade.delete(callId);
    } catch (error) {
      for (const { callId } of opened) this.#unmade.add(callId);
      log.warn("the ledger of budgets cannot be written; calls wait", { error, calls: calls.length + open.length });
      told = asked.map(
        ({ answer }) =>
          () =>
            answer(refuse(deferred("BUDGETS_UNAVAILABLE", AWAY, AWAY_DEFER_MS))),
      );
      for (const { failed } of ended) failed(error);
    }
    for (const tell of told) tell();
  }

  #decide(view: LedgerView, asked: readonly Asked[], ended: readonly Ended[], now: number) {
    const { metrics, warn } = this.#parts;
    const allotment = new Allotment(view.budgets);
    const told: Told[] = [];
    const settled: CallSettlement[] = [];
    const settle = (open: OpenCall, usage: ModelUsage): void => {
      settled.push({ callId: open.callId, usage });
      for (const budget of allotment.settle(open, amountOf(usage))) told.push(() => warn(budget, open.runId));
    };
    const stillOpen = new Map(view.open.map((one) => [one.callId, one]));
    for (const { callId, usage, done } of ended) {
      const open = stillOpen.get(callId);
      // Somebody may have charged it already, because this instance seemed to be gone.
      if (open !== undefined) {
        stillOpen.delete(callId);
        settle(open, usage);
      }
      // After a warning: the run may end with this call.
      told.push(done);
    }
    for (const one of [...stillOpen.values()].filter(({ callId }) => this.#unmade.has(callId))) {
      stillOpen.delete(one.callId);
      settle(one, NOT_MADE);
    }
    // What is left has the key of a call that is asked for again. If it is not under way here, nobody knows what became
    // of it.
    const again = new Set(asked.map(({ call }) => call.callKey));
    const lost = [...stillOpen.values()].filter(({ callId, callKey }) => again.has(callKey) && !this.#live.has(callId));
    for (const one of lost) settle(one, wholeOf(one));
    if (lost.length > 0) told.push(() => metrics.abandoned(lost.length));
    const opened: NewCall[] = [];
    const waiting: (BudgetKey & { readonly runId: string })[] = [];
    for (const one of asked) {
      const { call, answer } = one;
      const keys = keysOf(call, now);
      const reserved = reserveOf(call);
      const tooLarge = explainTooLarge(call);
      if (tooLarge !== null) {
        told.push(() => metrics.refused("minute", "too_large"));
        told.push(() => answer(refuse(refused("TOKENS_PER_MINUTE_EXCEEDED", tooLarge))));
        continue;
      }
      const unpriced = reserved === null ? keys.find((key) => refusesUnpriced(call, allotment.get(key))) : undefined;
      if (unpriced !== undefined) {
        told.push(() => metrics.refused(unpriced.scope, "unpriced"));
        told.push(() => answer(refuse(priceMissing(call))));
        continue;
      }
      const wanted = reserved ?? { ...NOTHING, tokens: call.inputTokens + call.maxOutputTokens };
      const shortage = allotment.reserve(keys, wanted);
      if (shortage === null) {
        const callId = randomUUID();
        const charged = keys.filter((key) => allotment.get(key) !== undefined);
        const made: NewCall = { callId, callKey: call.callKey, runId: call.runId, call, reserved: wanted, charged };
        opened.push(made);
        told.push(() => this.#live.add(callId));
        told.push(() => answer({ ok: true, settle: (usage) => this.#settle(made, usage) }));
      } else if (shortage.mayFitLater) {
        told.push(() => metrics.refused(shortage.budget.scope, "deferred"));
        const isOfMinute = shortage.budget.scope === "minute";
        const deferMs = isOfMinute ? untilNextMinuteMs(shortage.budget, now) : BUSY_MS;
        const type = isOfMinute ? "TOKENS_PER_MINUTE_IN_USE" : "BUDGET_IN_USE";
        told.push(() => {
          if (call.number > 1) this.#askAgain(one, deferMs);
          else answer(refuse(deferred(type, explainShortage(shortage), deferMs)));
        });
      } else {
        waiting.push({ ...keyOf(shortage.budget), runId: call.runId });
        told.push(() => void this.#hold(call, shortage, answer));
      }
    }
    const changes: LedgerChanges = { budgets: allotment.changed, opened, settled, waiting };
    return { changes, told };
  }

  async #hold({ tenantId, runId }: MeteredCall, shortage: Shortage, answer: Answer): Promise<void> {
    const { holds, metrics, log } = this.#parts;
    metrics.refused(shortage.budget.scope, "held");
    const why = explainShortage(shortage);
    try {
      await holds.hold(runId, why);
    } catch (error) {
      // The shard has left, or the run has ended. Otherwise, the call is made again and finds the same.
      log.debug("a run could not be held for want of a budget", { tenantId, runId, error });
    }
    answer(refuse(deferred("BUDGET_EXHAUSTED", why, BUSY_MS)));
  }

  #askAgain(one: Asked, deferMs: number): void {
    setTimeout(() => {
      if (one.signal.aborted) return;
      this.#asked.push(one);
      this.#flush();
    }, deferMs);
  }

  async #settle(one: NewCall, usage: ModelUsage): Promise<void> {
    const { metrics, log, isStopping } = this.#parts;
    const used = amountOf(usage);
    const again = (): Promise<void> => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#ended.push({ callId: one.callId, usage, open: one, done: resolve, failed: reject });
      this.#flush();
      return promise;
    };
    await retryUntil(log, again, isStopping).finally(() => this.#live.delete(one.callId));
    metrics.settled(one.call, usage);
    if (used.tokens > one.reserved.tokens || used.costMicros > one.reserved.costMicros) metrics.overran(one.call);
  }
}

const NOT_MADE: ModelUsage = { inputTokens: 0, outputTokens: 0, costMicros: 0, basis: "reported" };

const AWAY = "the ledger of budgets cannot be reached; the call is made once it can be";

/** The budgets that a call is charged to, where they exist. */
function keysOf(call: MeteredCall, now: number): readonly BudgetKey[] {
  const { tenantId, flowId, budgets } = call;
  const minute = minuteOf(call, now);
  return [
    ...(minute === null ? [] : [keyOf(minute)]),
    ...budgets.map(({ runId }): BudgetKey => ({ tenantId, scope: "run", id: runId })),
    { tenantId, scope: "flow", id: flowId },
    { tenantId, scope: "tenant", id: "" },
  ];
}

/** Whether a budget refuses calls to a model without a price. A run says how its own one takes them. */
function refusesUnpriced({ budgets }: MeteredCall, budget: Budget | undefined): boolean {
  if (budget === undefined || budget.maxCostMicros === null) return false;
  const spec = budget.scope === "run" ? budgets.find(({ runId }) => runId === budget.id) : undefined;
  return spec?.unpriced !== "tokens_only";
}

function keyOf({ tenantId, scope, id }: BudgetKey): BudgetKey {
  return { tenantId, scope, id };
}

function queryOf(calls: readonly MeteredCall[], open: readonly OpenCall[], now: number): LedgerQuery {
  const keys = new Map<string, BudgetKey>();
  const missing = new Map<string, BudgetKey & BudgetLimits>();
  for (const call of calls) {
    for (const key of keysOf(call, now)) keys.set(nameOf(key), key);
    const budgets = call.budgets.map((one) => runBudgetOf(call.tenantId, one));
    for (const budget of [minuteOf(call, now) ?? [], budgets].flat()) missing.set(nameOf(budget), budget);
  }
  for (const { charged } of open) for (const key of charged) keys.set(nameOf(key), key);
  return {
    budgets: [...keys.values()],
    missing: [...missing.values()],
    callIds: open.map(({ callId }) => callId),
    callKeys: calls.map(({ callKey }) => callKey),
  };
}

/** Nobody knows whether the call was made: it is charged in full. */
function wholeOf({ reserved: { tokens, costMicros } }: OpenCall): ModelUsage {
  return { inputTokens: tokens, outputTokens: 0, costMicros, basis: "unknown" };
}

type Refused = Extract<Outcome, { readonly ok: false }>;

function refuse(outcome: Refused): Reserved {
  return { ok: false, outcome };
}

function deferred(type: string, message: string, deferMs: number): Refused {
  const error = { type, message, retryable: true, noEffect: true, nextRetryDelayMs: deferMs };
  return { ok: false, error, deferMs };
}

function priceMissing({ provider, model }: MeteredCall): Refused {
  const message = `a budget limits the cost of this run, and model ${model} of provider ${provider} has no price: add input_price_per_mtok and output_price_per_mtok to models.providers`;
  return refused("PRICE_MISSING", message);
}

function refused(type: string, message: string): Refused {
  return { ok: false, error: { type, message, retryable: false, noEffect: true } };
}
