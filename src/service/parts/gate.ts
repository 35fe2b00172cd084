/** The gate: the check of goals, with Reflex where it is configured, and of calls. */
import { fail } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { leadsToItself } from "../../config/check.ts";
import { loadGatePolicy } from "../../config/gate-policy.ts";
import type { Config } from "../../config/settings.ts";
import type { GoalCheck } from "../../engine/ports/gate/goal-check.ts";
import type { TaskGate } from "../../engine/ports/gate/task-gate.ts";
import { type CallGate, createCallGate } from "../../guards/call-gate.ts";
import { createGateReport, type GatedMetrics } from "../../guards/gate-report.ts";
import { createGoalCheck, type GateResult } from "../../guards/goal-check.ts";
import { type GatePolicy, reflexFlowOf } from "../../guards/policy/policy.ts";
import type { Reflex } from "../../guards/reflex/reflex.ts";
import { createTaskGate } from "../../guards/task-gate.ts";
import type { Parts } from "./parts.ts";

/** Where Reflex is, if it is asked and nobody says where. */
const USUAL_REFLEX = "http://localhost:8080";

/** What checks goals and calls. */
export interface Gate {
  readonly goalCheck: GoalCheck;
  /** Null: all calls are allowed. */
  readonly callGate: CallGate | null;
  /** For tasks that others do; null, too. */
  readonly taskGate: TaskGate | null;
}

/** Opens the gate. Errors: CONFIG_INVALID if the policy cannot be read. */
export async function openGate(config: Config, key: Uint8Array, log: Log, parts: Parts): Promise<Gate> {
  const file = config.gate.policy;
  const policy: GatePolicy = file === undefined ? { version: 1 } : await loadGatePolicy(file);
  const { metrics } = parts;
  const reflex = await openReflexClient(config, log, parts);
  const asking = reflexFlowOf(policy);
  if (reflex === null && asking !== null) {
    const problem = `gate.policy: flow ${asking} has reflex: ask, and Reflex is not configured; set gate.reflex_url`;
    fail("CONFIG_INVALID", { problem });
  }
  const reflexCalled = (result: "safe" | "blocked" | "error", seconds: number): void => {
    metrics.counter("octollm_orchestrator_reflex_calls_total", result).add();
    metrics.histogram("orchestrator_reflex_call_seconds", result).observe(seconds);
  };
  const judged = (what: "goal" | "call") => (result: GateResult, seconds: number) =>
    metrics.histogram("orchestrator_gate_seconds", what, result).observe(seconds);
  const goalCheck = createGoalCheck({
    policy,
    reflex,
    key,
    metrics: {
      checked: (rule, verdict) => metrics.counter("orchestrator_gate_checks_total", rule, verdict).add(),
      ...{ judged: judged("goal"), reflexCalled },
    },
    log,
  });
  const callGate = createCallGate(policy, { reflex, key, judged: judged("call"), reflexCalled });
  const report = createGateReport({ gated: countGated(parts) }, log);
  return { goalCheck, callGate, taskGate: callGate === null ? null : createTaskGate(callGate, report) };
}

/** Counts verdicts on calls. */
export function countGated({ metrics }: Parts): GatedMetrics["gated"] {
  return (rule, verdict) => metrics.counter("orchestrator_gated_calls_total", rule, verdict).add();
}

/** Null: it is off, nobody has said that there is one, or its usual place is this service itself. */
async function openReflexClient(config: Config, log: Log, parts: Parts): Promise<Reflex | null> {
  const { reflexEnabled, reflexUrl } = config.gate;
  if (!(reflexEnabled ?? reflexUrl !== undefined)) return null;
  const url = reflexUrl ?? USUAL_REFLEX;
  if (reflexUrl === undefined && leadsToItself(new URL(url), config)) {
    log.warn("Reflex is not asked: its usual place is a port of this service", { url });
    return null;
  }
  const { openReflex } = await import("../../guards/reflex/reflex.ts");
  const reflex = openReflex({ url, log });
  parts.onClose(() => reflex.stop());
  parts.reports("reflex", () => reflex.connection);
  return reflex;
}
