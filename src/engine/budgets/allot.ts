/** Decides which calls fit into which budgets. Pure. */
import type { Amount, Budget, BudgetKey, OpenCall } from "../ports/models/budgets.ts";
import type { ModelUsage } from "../ports/models/meter.ts";

/** The part of a limit at which there is a warning. */
const WARN_AT = 0.8;

/** Why a call does not fit, by the budget that it does not fit into. */
export interface Shortage {
  readonly budget: Budget;
  readonly wanted: Amount;
  /** Other calls are under way that may cost less than they reserved. */
  readonly mayFitLater: boolean;
}

/** Budgets while a transaction changes them. */
export class Allotment {
  readonly #budgets = new Map<string, Budget>();
  readonly #changed = new Set<string>();
  readonly #nearlyUsedUp = new Map<string, Budget>();

  constructor(budgets: readonly Budget[]) {
    for (const budget of budgets) this.#budgets.set(nameOf(budget), budget);
  }

  /** Those that have been changed. */
  get changed(): readonly Budget[] {
    return [...this.#changed].flatMap((name) => this.#budgets.get(name) ?? []);
  }

  /** Those of which what is settled has just passed {@link WARN_AT}. */
  get nearlyUsedUp(): readonly Budget[] {
    return [...this.#nearlyUsedUp.values()];
  }

  get(key: BudgetKey): Budget | undefined {
    return this.#budgets.get(nameOf(key));
  }

  /** Reserves an amount in all of these budgets, or in none. Budgets that do not exist limit nothing. */
  reserve(keys: readonly BudgetKey[], wanted: Amount): Shortage | null {
    const budgets = keys.flatMap((key) => this.get(key) ?? []);
    const short = budgets.filter((budget) => !fits(budget, wanted));
    // A budget in which nothing is under way decides: it will not fit there later.
    const worst = short.find((budget) => !isBusy(budget)) ?? short[0];
    if (worst !== undefined) return { budget: worst, wanted, mayFitLater: isBusy(worst) };
    for (const budget of budgets) this.#set({ ...budget, reserved: add(budget.reserved, wanted) });
    return null;
  }

  /** Ends a call: what it used takes the place of what it reserved. */
  settle({ charged, reserved }: Pick<OpenCall, "charged" | "reserved">, usage: ModelUsage): void {
    const used = amountOf(usage);
    for (const key of charged) {
      const budget = this.get(key);
      if (budget === undefined) continue;
      const after = { ...budget, reserved: subtract(budget.reserved, reserved), settled: add(budget.settled, used) };
      this.#set(after);
      if (isNearlyUsedUp(after) && !isNearlyUsedUp(budget)) this.#nearlyUsedUp.set(nameOf(key), after);
    }
  }

  #set(budget: Budget): void {
    const name = nameOf(budget);
    this.#budgets.set(name, budget);
    this.#changed.add(name);
  }
}

/** What a call used, as budgets count it. */
export function amountOf({ inputTokens, outputTokens, costMicros }: ModelUsage): Amount {
  return { tokens: inputTokens + outputTokens, costMicros: costMicros ?? 0 };
}

/** A name of a budget that no other budget has. */
export function nameOf({ tenantId, scope, id }: BudgetKey): string {
  return JSON.stringify([tenantId, scope, id]);
}

function fits({ maxCostMicros, maxTokens, settled, reserved }: Budget, wanted: Amount): boolean {
  const after = add(add(settled, reserved), wanted);
  return (
    (maxCostMicros === null || wanted.costMicros === 0 || after.costMicros <= maxCostMicros) &&
    (maxTokens === null || after.tokens <= maxTokens)
  );
}

function isNearlyUsedUp({ maxCostMicros, maxTokens, settled }: Budget): boolean {
  return (
    (maxCostMicros !== null && settled.costMicros >= maxCostMicros * WARN_AT) ||
    (maxTokens !== null && settled.tokens >= maxTokens * WARN_AT)
  );
}

function isBusy({ reserved }: Budget): boolean {
  return reserved.costMicros > 0 || reserved.tokens > 0;
}

function add(a: Amount, b: Amount): Amount {
  return { costMicros: a.costMicros + b.costMicros, tokens: a.tokens + b.tokens };
}

function subtract(a: Amount, b: Amount): Amount {
  return { costMicros: Math.max(0, a.costMicros - b.costMicros), tokens: Math.max(0, a.tokens - b.tokens) };
}
