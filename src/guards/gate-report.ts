/** What becomes of verdicts: each is logged and counted, and those in shadow change nothing. */
import type { Log } from "../base/log.ts";
import type { CallVerdict } from "./call-gate.ts";

/** Verdicts as they are counted. */
type Told = "deny" | "ask" | "redact" | "defer";

/** Counts verdicts on calls; the telemetry layer has the implementation. */
export interface GatedMetrics {
  /** Because of a rule a call was denied or deferred, a person is asked, or texts were redacted. */
  gated(rule: string, verdict: Told | `shadow_${Told}`): void;
}

/** Which call a verdict is about, for the log. */
export interface ReportedCall {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  readonly path: string;
  /** Absent: the task is judged before its first one. */
  readonly attempt?: number;
}

/** Tells verdicts. Returns the one that takes effect. */
export type GateReport = (verdict: CallVerdict, call: ReportedCall) => CallVerdict;

/** Creates a report. */
export function createGateReport(metrics: Partial<GatedMetrics> | undefined, log: Log): GateReport {
  return (judged, { runId, tenantId, flowId, path: task, attempt }) => {
    if (judged.verdict === "allow") return judged;
    const rules = rulesOf(judged);
    const verdict = judged.isShadow ? (`shadow_${judged.verdict}` as const) : judged.verdict;
    for (const rule of rules) metrics?.gated?.(rule, verdict);
    const hmac = judged.verdict === "ask" ? { callHmac: judged.key } : {};
    log.info("call gated", { runId, tenantId, flowId, task, attempt, rules, verdict, ...hmac });
    return judged.isShadow ? { verdict: "allow" } : judged;
  };
}

/** The rules that a verdict names, each once. */
export function rulesOf(judged: Exclude<CallVerdict, { readonly verdict: "allow" }>): readonly string[] {
  switch (judged.verdict) {
    case "redact":
      return judged.rules;
    case "ask":
      return [...new Set(judged.found.map(({ rule }) => rule))];
    case "deny":
      return [judged.rule];
    case "defer":
      return ["reflex"];
  }
}

/** What a task that is denied fails with. */
export function denialOf({ why }: Extract<CallVerdict, { readonly verdict: "deny" }>): string {
  return `the gate policy denies the call: ${why}`;
}
