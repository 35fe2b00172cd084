import type { Log } from "../../base/log.ts";
import type { CallGate } from "../../guards/call-gate.ts";
import { failedOutcome } from "../outcome.ts";
import type { Step } from "./path.ts";

/** Metrics of the gate; the telemetry layer has the implementation. */
export interface GateStepMetrics {
  /** A call was denied, or what it sends was redacted, because of a rule. */
  gated(rule: string, verdict: "deny" | "redact"): void;
}

/**
 * Denies calls, or redacts what they send, as the policy says of their flow. It stands before breaker and bulkhead: a
 * call that may not be made waits for nothing. Denials are final, since the next attempt would send the same.
 */
export function withGate(gate: CallGate, metrics: Partial<GateStepMetrics> | undefined, log: Log): Step {
  return (current, next) => {
    const { call } = current;
    const judged = gate.judge(call);
    if (judged.verdict === "allow") return next(current);
    const rules = judged.verdict === "deny" ? [judged.rule] : judged.rules;
    for (const rule of rules) metrics?.gated?.(rule, judged.verdict);
    const { runId, tenantId, flowId, path: task, attempt } = call;
    log.info("call gated", { runId, tenantId, flowId, task, attempt, rules, verdict: judged.verdict });
    if (judged.verdict === "redact") return next({ ...current, call: { ...call, input: judged.input } });
    const { rule, place } = judged;
    const message = `the gate policy denies the call: ${rule} in ${place === "" ? "the parameters" : place}`;
    return Promise.resolve(failedOutcome("GATE_DENIED", message, { retryable: false, noEffect: true }));
  };
}
