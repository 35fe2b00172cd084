/** Reads a generation from the run that it is. */
import type { FieldViolation } from "../../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../../base/json/json.ts";
import {
  APPROVE_STATE,
  CHECK_STATE,
  KEEP_STATE,
  MAX_REPAIRS,
  REFUSED_STATE,
} from "../../../flows/builtin/generation.ts";
import { GENERATION_FLOW } from "../../../flows/builtin/ids.ts";
import { type Approval, isTerminalPhase, type RunState, type TaskState } from "../../machine/state.ts";
import type {
  DraftEstimate,
  DraftView,
  GenerationComplexity,
  GenerationRecord,
  GenerationStatus,
} from "../../ports/generation/generations.ts";

/** Whether a run is a generation: one that another flow of the service decides about is only a part of that. */
export function isGeneration({ flowId, vars }: Pick<RunState, "flowId" | "vars">): boolean {
  return flowId === GENERATION_FLOW && vars["approve"] === "person";
}

/** The approval of its draft, if there is one. */
export function approvalOf(state: RunState): Approval | null {
  return [...state.approvals.values()].find(({ task }) => task.startsWith(`${APPROVE_STATE}~`)) ?? null;
}

/** The generation that a run is. */
export function generationOf(state: RunState): GenerationRecord {
  const { prompt, domain, complexity, required_services: words } = state.vars;
  const approval = approvalOf(state);
  const status = statusOf(state, approval);
  const output = lastCheck(state)?.output;
  const kept = state.tasks.get(`${KEEP_STATE}~1`)?.output ?? output;
  const draft = isJsonObject(output) ? draftOf(output) : null;
  const isDecided = approval !== null && (approval.state === "APPROVED" || approval.state === "REJECTED");
  return {
    generationId: state.runId,
    tenantId: state.tenantId,
    status,
    prompt: String(prompt),
    domain: String(domain),
    complexity: complexity as GenerationComplexity,
    requiredServices: (words as readonly Json[]).map(String),
    templateId: isJsonObject(kept) ? String(kept["template_id"]) : "",
    createdAt: state.createdAt,
    updatedAt: isTerminalPhase(state.phase) ? state.endedAt : (approval?.createdAt ?? state.createdAt),
    draft,
    error: status === "failed" || status === "rejected" ? errorOf(state, draft) : null,
    decision: isDecided ? { by: approval.by, comment: approval.comment, at: approval.endedAt ?? 0 } : null,
  };
}

/** A draft is one until it is a template: `keep` follows the approval. */
function statusOf({ phase }: RunState, approval: Approval | null): GenerationStatus {
  if (phase === "COMPLETED") return "approved";
  if (!isTerminalPhase(phase)) return approval === null ? "generating" : "draft";
  return approval?.state === "REJECTED" ? "rejected" : "failed";
}

function lastCheck({ fsm, tasks }: RunState): TaskState | undefined {
  for (let visit = fsm?.visits.get(CHECK_STATE) ?? 0; visit > 0; visit -= 1) {
    const task = tasks.get(`${CHECK_STATE}~${visit}`);
    if (task?.output !== undefined) return task;
  }
  return undefined;
}

/** What the step `draft.check` has found. */
function draftOf({ text, hash, problems, estimate, tries }: JsonObject): DraftView {
  return {
    text: String(text),
    hash: String(hash),
    problems: (problems ?? []) as unknown as readonly FieldViolation[],
    estimate: isJsonObject(estimate) ? ({ ...UNASSURED, ...estimate } as unknown as DraftEstimate) : null,
    tries: Number(tries),
  };
}

/** Of estimates that do not say what they assume. */
const UNASSURED = { isLowerBound: true, assumptions: [] } as const;

function errorOf(state: RunState, draft: DraftView | null): GenerationRecord["error"] {
  const { fsm, error, phase } = state;
  if (fsm?.state === REFUSED_STATE) {
    const [first] = draft?.problems ?? [];
    const message = `none of ${MAX_REPAIRS + 1} answers is a template that can be used; the last one: ${first?.description ?? ""}`;
    return { type: "DRAFT_INVALID", message, task: CHECK_STATE };
  }
  if (error !== null) return { type: error.type, message: error.message, task: error.task ?? "" };
  return { type: phase, message: "the run of the generation was ended", task: "" };
}
