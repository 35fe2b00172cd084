/** Describes events for the last columns of `runs events`: the new state, and who, what, and why in words. */
import { ApprovalStateSchema } from "../../gen/orchestrator/v1/approval_pb.ts";
import { LogLevelSchema, type RunEvent, type TaskProgress } from "../../gen/orchestrator/v1/run_event_pb.ts";
import { RunPhaseSchema, SkipReasonSchema, TaskStateSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { describeWait, formatRunError, formatTime, nameOf } from "./print.ts";

/** State after an event and further details; either can be empty. */
export interface EventText {
  readonly state: string;
  readonly detail: string;
}

export function describeEvent({ detail, attributes }: RunEvent): EventText {
  switch (detail.case) {
    case "runTransition": {
      const { phase, error, reason, actor } = detail.value;
      const why = error === undefined ? reason : formatRunError(error);
      return { state: nameOf(RunPhaseSchema, phase), detail: join(why, by(actor)) };
    }
    case "taskTransition": {
      const { state, error, skipReason, nextAttemptTime, wait, actor, reason } = detail.value;
      const why = error === undefined ? "" : `${error.type}: ${error.message}`;
      const skipped = skipReason === 0 ? "" : nameOf(SkipReasonSchema, skipReason);
      const next = nextAttemptTime === undefined ? "" : `next attempt at ${formatTime(nextAttemptTime)}`;
      return {
        state: nameOf(TaskStateSchema, state),
        detail: join(why, skipped, next, describeWait(wait, ""), reason, by(actor)),
      };
    }
    case "holdChange": {
      const { held, hold } = detail.value;
      return { state: held ? "HELD" : "RELEASED", detail: join(hold?.reason ?? "", by(hold?.actor ?? "")) };
    }
    case "signalChange": {
      const { signalName, consumed, actor, guardError } = detail.value;
      const guard = guardError === undefined ? "" : `stays queued: ${formatRunError(guardError)}`;
      return { state: "", detail: join(`signal ${signalName}`, consumed ? "consumed" : "", guard, by(actor)) };
    }
    case "approvalChange": {
      const { approvalId, state, actor, comment } = detail.value;
      return { state: nameOf(ApprovalStateSchema, state), detail: join(`approval ${approvalId}`, by(actor), comment) };
    }
    case "progress":
      return { state: describeProgress(detail.value), detail: detail.value.message };
    case "log":
      return { state: nameOf(LogLevelSchema, detail.value.level), detail: detail.value.message };
    case "token":
      return { state: "", detail: detail.value.text };
    default:
      return { state: "", detail: describeAttributes(attributes) };
  }
}

/** `state paid, visit 2` */
function describeAttributes(attributes: RunEvent["attributes"]): string {
  const texts = Object.entries(attributes ?? {}).filter(
    ([, value]) => typeof value === "string" || typeof value === "number",
  );
  return texts.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
}

/** `40 %`, `4 of 10`, or what is known of it. */
function describeProgress({ fraction, current, total }: TaskProgress): string {
  if (fraction !== undefined) return `${Math.floor(fraction * 100)} %`;
  if (current === undefined) return "";
  return total === undefined ? `${current}` : `${current} of ${total}`;
}

function by(actor: string): string {
  return actor === "" ? "" : `by ${actor}`;
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("; ");
}
