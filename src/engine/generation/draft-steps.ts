/** The steps of the flow that writes drafts: the question, the check of an answer, and what approval makes of it. */
import { fail } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { DRAFT_STEPS } from "../../flows/builtin/generation.ts";
import type { Served } from "../../flows/check/unserved.ts";
import { readRequired } from "../../flows/drafts/allowed.ts";
import { checkDraft } from "../../flows/drafts/check-draft.ts";
import { findUnmet } from "../../flows/drafts/given.ts";
import { askAgain, askForDraft, type DraftRequest } from "../../flows/drafts/question.ts";
import { isCutOff, textOfAnswer } from "../../flows/drafts/read-answer.ts";
import type { DryRuns } from "../ports/dry-run/dry-runs.ts";
import type { DraftView } from "../ports/generation/generations.ts";
import type { Step, Steps } from "../ports/generation/steps.ts";
import { estimateDraft } from "./estimate.ts";
import { hasFlow, hasTemplate, type KeepParts, keepDraft } from "./keep-draft.ts";

export interface DraftParts extends KeepParts {
  /** What flows of the service may use. */
  readonly served: Served;
  readonly dryRuns: DryRuns;
}

const CUT_OFF = {
  field: "",
  description: "the answer was cut off before its end, because it was longer than allowed: write a shorter template",
};

/** Creates the steps. */
export function createDraftSteps(parts: DraftParts): Steps {
  const { flows, served, dryRuns } = parts;
  const isTaken = async (tenantId: string, id: string): Promise<boolean> =>
    (await hasTemplate(parts, tenantId, id)) || (await hasFlow(parts, tenantId, id));

  const question: Step = async ({ input }) => ({ ...askForDraft(requestOf(input)) });

  const check: Step = async ({ tenantId, input, signal }) => {
    const request = requestOf(input);
    const allowed = readRequired(request.required_services, served);
    const answer = input["answer"] ?? null;
    const text = textOfAnswer(answer);
    const checked = await checkDraft({ flows, isTaken }, tenantId, text, allowed);
    // The beginning of a template may be a template, without its last tasks.
    const found = isCutOff(answer) ? [CUT_OFF, ...checked.problems] : checked.problems;
    const given = givenOf(input);
    const unmet = checked.draft === null || given === null ? [] : findUnmet(checked.draft.plan, given);
    const problems = [...found, ...unmet];
    const draft = problems.length === 0 ? checked.draft : null;
    const tries = Number(input["tries"]);
    if (draft === null) {
      const next = askAgain(request, { text, problems }).prompt;
      return toOutput({ text, hash: "", problems, estimate: null, tries }, "", next);
    }
    const estimate = await estimateDraft(dryRuns, tenantId, draft, { given, signal });
    return toOutput({ text: draft.text, hash: draft.hash, problems: [], estimate, tries }, draft.templateId, "");
  };

  const keep: Step = async ({ tenantId, runId, input }) => {
    const [text, by] = [String(input["text"]), String(input["by"] ?? "")];
    // The same checks once more: what was approved may have waited for weeks.
    const { flow } = await flows.registerFlow(tenantId, { text }, true);
    const hash = String(input["hash"]);
    if (flow === null || flow.hash !== hash) return fail("DRAFT_INVALID", { problem: "the service has changed" });
    return { template_id: await keepDraft(parts, tenantId, { source: text, flow, generationId: runId, by }) };
  };

  return new Map([
    [DRAFT_STEPS.question, question],
    [DRAFT_STEPS.check, check],
    [DRAFT_STEPS.keep, keep],
  ]);
}

/** The flow has checked the types of its variables. */
function requestOf({ prompt, domain, complexity, required_services: words }: JsonObject): DraftRequest {
  return {
    prompt: String(prompt),
    domain: String(domain),
    complexity: complexity as DraftRequest["complexity"],
    required_services: (words as readonly Json[]).map(String),
  };
}

/** What a run of the draft is given; null: nobody knows yet. Versions of the flow before it say nothing. */
function givenOf({ given = null }: JsonObject): JsonObject | null {
  return isJsonObject(given) ? given : null;
}

/** What the flow reads, and `draftOf` of a generation. */
function toOutput(draft: DraftView, templateId: string, nextPrompt: string): JsonObject {
  const { text, hash, problems, estimate, tries } = draft;
  return {
    ...{ text, hash, tries, template_id: templateId, next_prompt: nextPrompt },
    problems: problems.map((problem) => ({ ...problem })),
    estimate: estimate as unknown as Json,
  };
}
