/** The ports of budgets: how much may be spent, and the ledger of calls that spend it. */
import type { Caller } from "../caller.ts";
import type { MeteredCall, ModelUsage } from "./meter.ts";

/** What a budget is for. */
export type BudgetScope = "run" | "flow" | "tenant";

/**
 * Names a budget. `id`: of the run or the flow; empty for the budget of a tenant. The scope `minute` is for the tokens
 * of a model in a minute, which nobody raises: they are in no list.
 */
export interface BudgetKey {
  readonly tenantId: string;
  readonly scope: BudgetScope | "minute";
  readonly id: string;
}

/**
 * How much may be spent: millionths of a dollar, and tokens of input and output together; of a run also attempts, and
 * milliseconds in which they run. Null: any amount.
 */
export interface BudgetLimits {
  readonly maxCostMicros: number | null;
  readonly maxTokens: number | null;
  readonly maxSteps: number | null;
  readonly maxTimeMs: number | null;
}

/** An amount of each. */
export interface Amount {
  readonly costMicros: number;
  readonly tokens: number;
  readonly steps: number;
  readonly timeMs: number;
}

/** A stored budget. At any time, what is settled and reserved together is within the limits, but for overruns. */
export interface Budget extends BudgetKey, BudgetLimits {
  /** What ended calls and attempts have cost. */
  readonly settled: Amount;
  /** What those under way may cost at most. */
  readonly reserved: Amount;
}

/** One that operators see, and can raise. */
export interface RaisableBudget extends Budget {
  readonly scope: BudgetScope;
}

/** A call that is under way, or was when its instance died. */
export interface OpenCall {
  readonly callId: string;
  readonly callKey: string;
  readonly runId: string;
  readonly reserved: Amount;
  readonly charged: readonly BudgetKey[];
}

/** A call of which nothing is known yet. */
export interface NewCall extends OpenCall {
  readonly call: MeteredCall;
}

/** The end of a call. */
export interface CallSettlement {
  readonly callId: string;
  readonly usage: ModelUsage;
}

/** What one transaction of the ledger reads, all of it locked until its end. */
export interface LedgerView {
  readonly budgets: readonly Budget[];
  /** Open calls that were asked for, by id or by key. */
  readonly open: readonly OpenCall[];
}

/** What it changes. */
export interface LedgerChanges {
  readonly budgets: readonly Budget[];
  readonly opened: readonly NewCall[];
  readonly settled: readonly CallSettlement[];
  /** Runs that wait until somebody raises the budget. */
  readonly waiting: readonly (BudgetKey & { readonly runId: string })[];
}

/** What one transaction is about. */
export interface LedgerQuery {
  readonly budgets: readonly BudgetKey[];
  /** Budgets that are created where they do not exist yet. */
  readonly missing: readonly (BudgetKey & BudgetLimits)[];
  readonly callIds: readonly string[];
  readonly callKeys: readonly string[];
}

/** The ledger. Transactions that share a budget run one after the other, at all instances. */
export interface BudgetLedger {
  transact(query: LedgerQuery, decide: (view: LedgerView) => LedgerChanges): Promise<void>;
  /** Calls whose instance is gone, oldest first. */
  listAbandoned(limit: number): Promise<readonly OpenCall[]>;
}

/** A budget as operators see it. */
export interface BudgetView extends RaisableBudget {
  /** The flow of the run limits steps or time: its attempts are counted. */
  readonly countsAttempts: boolean;
  /** Runs that wait for a raise. */
  readonly waitingRuns: number;
  readonly by: string;
  readonly why: string;
  /** Of the last change, milliseconds since the epoch. */
  readonly updatedAt: number;
}

/** What usage is grouped by. */
export type UsageGroup = "flow" | "model" | "user" | "day" | "run";

/** What calls used together. */
export interface UsageLine {
  readonly group: Readonly<Partial<Record<UsageGroup, string>>>;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  /** Calls whose usage is estimated or unknown. */
  readonly estimatedCalls: number;
  /** Calls of models without a price. */
  readonly unpricedCalls: number;
}

/** Calls between two times, milliseconds since the epoch. */
export interface UsageQuery {
  readonly from: number;
  readonly to: number;
  readonly by: readonly UsageGroup[];
  /** Empty: of all flows. */
  readonly flowId: string;
  /** Lines that are left out at the beginning. */
  readonly skip: number;
  readonly limit: number;
}

/** Names a budget of a tenant. */
export interface ShownBudgetKey extends Omit<BudgetKey, "tenantId"> {
  readonly scope: BudgetScope;
}

/** Budgets as operators see and change them. */
export interface BudgetControl {
  getBudget(caller: Caller, key: ShownBudgetKey): Promise<BudgetView | null>;
  listBudgets(
    caller: Caller,
    scope: BudgetScope | null,
    after: ShownBudgetKey | null,
    limit: number,
  ): Promise<readonly BudgetView[]>;
  /**
   * Sets limits, and lets runs that wait for them go on. Runs of other instances go on, too. `create`: the budget need
   * not exist. Limits of steps and time are those of a run whose attempts are counted. Errors: BUDGET_NOT_FOUND.
   */
  setLimits(
    caller: Caller,
    key: ShownBudgetKey,
    limits: BudgetLimits,
    why: string,
    create: boolean,
  ): Promise<BudgetView>;
  listUsage(caller: Caller, query: UsageQuery): Promise<readonly UsageLine[]>;
}

/** Keeps runs from going on for want of a budget. */
export interface BudgetHolds {
  /** Holds a run of this instance. Resolves when that is durable; a run that has ended stays as it is. */
  hold(runId: string, why: string): Promise<void>;
}

/** Runs whose budgets have been raised, and that have not been told. */
export interface BudgetRaises {
  /** By run id, after this one. */
  listRaised(
    after: string,
    limit: number,
  ): Promise<
    readonly { readonly tenantId: string; readonly runId: string; readonly by: string; readonly why: string }[]
  >;
  /** The run has been told. A run that has meanwhile found its budget too small again is kept. */
  forget(tenantId: string, runId: string): Promise<void>;
  /** Calls `listener` when a budget was raised, here or at another instance. */
  listen(listener: () => void): () => Promise<void>;
}
