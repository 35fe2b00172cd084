import type { Log } from "../../base/log.ts";
import type { CallGate, CallVerdict } from "../../guards/call-gate.ts";
import { abortedOutcome, deferredOutcome, type FailedOutcome, failedOutcome } from "../outcome.ts";
import { inSeconds, spread } from "../stopped.ts";
import type { CurrentCall, Step } from "./path.ts";

/** Metrics of the gate; the telemetry layer has the implementation. */
export interface GateStepMetrics {
  /** Because of a rule a call was denied or deferred, a person is asked, or what it sends was redacted. */
  gated(rule: string, verdict: "deny" | "ask" | "redact" | "defer"): void;
}

/** Shortest and longest pause before Reflex is asked again, milliseconds: each look is written to the journal. */
const FIRST_LOOK_MS = 2_000;
const LAST_LOOK_MS = 60_000;

/** Most findings that a question names. */
const MAX_NAMED = 3;

/**
 * Denies calls, has a person asked about them, redacts what they send, or defers them, as the policy says of their
 * flow. It stands before breaker and bulkhead: a call that may not be made waits for nothing. Denials are final, since
 * the next attempt would send the same. A question ends the attempt, which uses up none: nothing waits here.
 */
export function withGate(gate: CallGate, metrics: Partial<GateStepMetrics> | undefined, log: Log): Step {
  return async (current, next) => {
    const { call, signal } = current;
    let judged: CallVerdict;
    try {
      const judging = gate.judge(call, current.destination, signal);
      judged = judging instanceof Promise ? await judging : judging;
    } catch (error) {
      if (signal.aborted) return abortedOutcome(signal, true);
      throw error;
    }
    const { verdict } = judged;
    if (verdict === "allow") return next(current);
    const rules = rulesOf(judged);
    for (const rule of rules) metrics?.gated?.(rule, verdict);
    const { runId, tenantId, flowId, path: task, attempt } = call;
    const hmac = judged.verdict === "ask" ? { callHmac: judged.key } : {};
    log.info("call gated", { runId, tenantId, flowId, task, attempt, rules, verdict, ...hmac });
    switch (judged.verdict) {
      case "redact":
        return next({ ...current, call: { ...call, input: judged.input } });
      case "ask":
        return askedOutcome(current, judged);
      case "defer":
        return awayOutcome(judged.problem, call.waitedMs);
      case "deny":
        return failedOutcome("GATE_DENIED", `the gate policy denies the call: ${judged.why}`, {
          retryable: false,
          noEffect: true,
        });
    }
  };
}

function rulesOf(judged: Exclude<CallVerdict, { readonly verdict: "allow" }>): readonly string[] {
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

type Asked = Extract<CallVerdict, { readonly verdict: "ask" }>;

/** The question says what was found and where, and never the text. */
function askedOutcome({ call, target }: CurrentCall, { found, key, assignees, timeoutMs }: Asked): FailedOutcome {
  const named = found.slice(0, MAX_NAMED).map(({ rule, place }) => `${rule} in ${place}`);
  const more = found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : "";
  const what = `${named.join(", ")}${more}`;
  const place = target.service === "" ? target.origin : `service ${target.service} (${target.origin})`;
  const title = `The gate found ${what}: may task ${call.path} of flow ${call.flowId} call ${place}?`;
  // Places may be long. A cut in the middle of a character would not be text.
  const value = { title: title.slice(0, MAX_TITLE).toWellFormed(), assignees: [...assignees] };
  return {
    ...failedOutcome("GATE_ASKED", `the gate asks a person first: ${what}`, { retryable: true, noEffect: true }),
    suspended: { key, gate: true, wait: { kind: "approval" }, value, timeoutMs },
  };
}

/** Longest title of an approval, characters. */
const MAX_TITLE = 512;

function awayOutcome(problem: string, waitedMs: number): FailedOutcome {
  const deferMs = spread(Math.min(Math.max(waitedMs / 4, FIRST_LOOK_MS), LAST_LOOK_MS));
  const sentence = `Reflex cannot be asked about the call: ${problem}; the next try is`;
  return deferredOutcome("REFLEX_UNAVAILABLE", inSeconds(sentence, deferMs), deferMs, true);
}
