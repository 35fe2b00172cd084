import type { Json } from "../../base/json/json.ts";
import type { ToolCall } from "../../engine/ports/tools.ts";
import type { CallGate, CallVerdict, TextJudge } from "../../guards/call-gate.ts";
import { denialOf, type GateReport } from "../../guards/gate-report.ts";
import { abortedOutcome, deferredOutcome, type FailedOutcome, failedOutcome } from "../outcome.ts";
import { inSeconds, spread } from "../stopped.ts";
import type { CurrentCall, Next, Step } from "./path.ts";

/** Shortest and longest pause before Reflex is asked again, milliseconds: each look is written to the journal. */
const FIRST_LOOK_MS = 2_000;
const LAST_LOOK_MS = 60_000;

/** Most findings that a question names. */
const MAX_NAMED = 3;

/**
 * Denies calls, has a person asked about them, redacts what they send and what comes back, or defers them, as the
 * policy says of their flow. It stands before breaker and bulkhead: a call that may not be made waits for nothing.
 * Denials are final, since the next attempt would send the same. A question ends the attempt, which uses up none:
 * nothing waits here.
 */
export function withGate(gate: CallGate, report: GateReport): Step {
  const passOn = async (current: CurrentCall, input: Json, next: Next) => {
    const { call } = current;
    const answers = gate.answerJudge(call);
    const outcome = await next(toGated(current, input, answers));
    if (answers === null) return outcome;
    if (!outcome.ok) return withJudgedError(outcome, answers, call);
    const judged = report(await answers.judgeInTurns(outcome.output), call);
    if (judged.verdict === "deny") return failedOutcome("GATE_DENIED", denialOf(judged), { retryable: false });
    return judged.verdict === "redact" ? { ...outcome, output: judged.value } : outcome;
  };

  /** The message of a failure may quote the answer. */
  const withJudgedError = async (outcome: FailedOutcome, answers: TextJudge, call: ToolCall) => {
    const judged = report(await answers.judgeInTurns(outcome.error.message), call);
    if (judged.verdict === "allow") return outcome;
    const message = judged.verdict === "redact" && typeof judged.value === "string" ? judged.value : HIDDEN;
    return { ...outcome, error: { ...outcome.error, message } };
  };

  /** The call as it goes on. Nobody sees the words of an answer before they are judged. */
  const toGated = (current: CurrentCall, input: Json, answers: TextJudge | null): CurrentCall => {
    const { call } = current;
    const origins = gate.originJudge(call);
    const isHidden = answers !== null && !answers.isShadow;
    if (input === call.input && origins === null && !isHidden) return current;
    const { tell, ...rest } = call;
    return {
      ...current,
      call: {
        ...rest,
        input,
        ...(isHidden || tell === undefined ? {} : { tell }),
        ...(origins === null ? {} : { refuseOrigin: (origin: string) => refusalOf(report(origins(origin), call)) }),
      },
    };
  };

  return async (current, next) => {
    const { call, signal, target, models, destination } = current;
    let judged: CallVerdict;
    try {
      const { service, origin } = target;
      const reach = { service, origin, models, destination };
      const judging = gate.judge(call, reach, signal, (late) => void report(late, call));
      judged = report(judging instanceof Promise ? await judging : judging, call);
    } catch (error) {
      if (signal.aborted) return abortedOutcome(signal, true);
      throw error;
    }
    switch (judged.verdict) {
      case "allow":
        return passOn(current, call.input, next);
      case "redact":
        return passOn(current, judged.value, next);
      case "ask":
        return askedOutcome(current, judged);
      case "defer":
        return awayOutcome(judged.problem, call.waitedMs);
      case "deny":
        return failedOutcome("GATE_DENIED", denialOf(judged), { retryable: false, noEffect: true });
    }
  };
}

const HIDDEN = "the message quotes what the gate policy denies";

function refusalOf(verdict: CallVerdict): string | null {
  return verdict.verdict === "deny" ? denialOf(verdict) : null;
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
