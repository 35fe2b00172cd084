/** The only call path of tools, from the dispatch of an attempt to its outcome. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { BreakerView, TargetRule, TargetRules } from "../../engine/ports/routing/tool-overrides.ts";
import type { Outcome, ToolCall, ToolCaller } from "../../engine/ports/tools.ts";
import type { CallGate } from "../../guards/call-gate.ts";
import { createGateReport, type GatedMetrics } from "../../guards/gate-report.ts";
import type { ToolAdapter } from "../adapter.ts";
import { abortedOutcome, failedOutcome } from "../outcome.ts";
import type { ServicePolicy } from "../service-policy.ts";
import { createTargets, DEFAULT_TARGET_POLICY, type TargetPolicy } from "../target.ts";
import { withDeadline } from "./deadline-step.ts";
import { withGate } from "./gate-step.ts";
import { withBreaker, withBulkhead } from "./guard-steps.ts";
import { type ToolMetrics, withObservation } from "./observe-step.ts";
import { composePath, type Next, type Step } from "./path.ts";
import { withRetryClass } from "./retry-step.ts";
import { type CallSpans, withSpan } from "./trace-step.ts";

export interface ToolCallerOptions {
  /** One per task type. */
  readonly adapters: readonly ToolAdapter[];
  /** Limits for each target; missing ones default to DEFAULT_TARGET_POLICY. */
  readonly policies?: Partial<TargetPolicy>;
  /** What is said of a service by its name; null: nothing. */
  readonly policyOf?: (service: string, tenantId: string) => ServicePolicy | null;
  /** What operators say about targets; nothing by default. */
  readonly rules?: TargetRules;
  /** Judges calls before they are made; absent: all are allowed. */
  readonly gate?: CallGate | null;
  readonly metrics?: ToolMetrics & Partial<GatedMetrics>;
  /** Absent or null: no call has a span. */
  readonly spans?: CallSpans | null;
  readonly log: Log;
  readonly clock: Clock;
}

/** The call path as its owner sees it. */
export interface ToolPath extends ToolCaller {
  /** Targets called since the start, with the state of their breakers and slots. */
  listBreakers(): readonly BreakerView[];
  /** Closes the adapters. Call it when no call is in progress. */
  close(): Promise<void>;
}

type Entry = ToolCaller["call"];

const NO_RULE: TargetRule = {
  breaker: null,
  forcedBy: null,
  maxConcurrent: null,
  maxQueued: null,
  until: Number.POSITIVE_INFINITY,
};
const NO_RULES: TargetRules = {
  version: 0,
  ruleOf: () => NO_RULE,
  findStopped: () => null,
  onChange: () => {},
  onReset: () => {},
};

/**
 * Creates the call path. A call never rejects, and settles soon after its signal aborts. Failures caused by an open
 * breaker or a full bulkhead have `deferMs`. Task types without an adapter fail with TOOL_MISSING.
 */
export function createToolCaller(options: ToolCallerOptions): ToolPath {
  const { adapters, metrics, log, clock } = options;
  const policy = { ...DEFAULT_TARGET_POLICY, ...options.policies };
  const targets = createTargets({
    policy,
    policyOf: options.policyOf ?? (() => null),
    rules: options.rules ?? NO_RULES,
    clock,
    onChange: ({ tenantId, origin, flowId, task }, state) => {
      log.info("breaker changed state", { tenantId, origin, flowId, task, state });
      metrics?.breakerChanged(state);
    },
  });
  // Every call to the outside passes these steps from top to bottom. The budget's reservation belongs after the
  // bulkhead, so that nothing is reserved while a call waits.
  const steps: readonly Step[] = [
    withObservation(metrics, log, clock),
    ...(options.gate == null ? [] : [withGate(options.gate, createGateReport(metrics, log))]),
    withRetryClass(({ service, tenantId }) => options.policyOf?.(service, tenantId)?.retry ?? "task"),
    withBreaker(clock),
    withBulkhead(),
    withDeadline(),
    ...(options.spans == null ? [] : [withSpan(options.spans)]),
  ];
  const entries = new Map<string, Entry>();
  for (const adapter of adapters) {
    const last = guardAdapter(adapter, log);
    if (adapter.local) {
      entries.set(adapter.type, last);
      continue;
    }
    const path: Next = composePath(steps, (current) => last(current.call, current));
    entries.set(adapter.type, (call, { signal }) => {
      const target = targets.get(adapter.placeOf(call), call);
      const destination = () => adapter.destinationOf?.(call) ?? null;
      const isSafe = adapter.isSafe?.(call) === true;
      return path({ call, signal, target, isSafe, models: adapter.modelsOf?.(call) ?? null, destination });
    });
  }
  return {
    call(call, stop) {
      const entry = entries.get(call.type);
      if (entry !== undefined) return entry(call, stop);
      return Promise.resolve(
        failedOutcome("TOOL_MISSING", `no adapter serves tasks of type ${call.type}`, {
          retryable: false,
          noEffect: true,
        }),
      );
    },
    listBreakers: () => targets.list(),
    close: async () => {
      await Promise.all(adapters.map((adapter) => adapter.close?.()));
    },
  };
}

/** Calls the adapter and turns what it throws into an outcome, so that no other step has to handle exceptions. */
function guardAdapter(adapter: ToolAdapter, log: Log): Entry {
  const toOutcome = (call: ToolCall, signal: AbortSignal, error: unknown): Outcome => {
    if (signal.aborted) return abortedOutcome(signal);
    if (isOrchestratorError(error))
      return failedOutcome(error.code, error.message, { retryable: error.retry !== "no" });
    const { type, runId, tenantId, correlationId, path: task, attempt } = call;
    log.error("an adapter threw", { type, runId, tenantId, correlationId, task, attempt, error });
    return failedOutcome("TOOL_FAILED", `the adapter of ${call.type} failed; the log says why`, { retryable: true });
  };
  const run: Entry = (call, stop) => (adapter.local ? adapter.run(call, stop) : adapter.run(call, stop.signal));
  // Not an async function: every attempt passes through here.
  return (call, stop) => {
    try {
      return run(call, stop).catch((error: unknown) => toOutcome(call, stop.signal, error));
    } catch (error) {
      return Promise.resolve(toOutcome(call, stop.signal, error));
    }
  };
}
