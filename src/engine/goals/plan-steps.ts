/** The steps of the flow that does a goal: the question to who writes the plan, and the version that a plan becomes. */
import { fail } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { PLAN_STEPS } from "../../flows/builtin/goal-work.ts";
import { BUILT_IN_VERSION, GOAL_PLAN_FLOW } from "../../flows/builtin/ids.ts";
import type { Served } from "../../flows/check/unserved.ts";
import { hashDocument } from "../../flows/document/identity.ts";
import { readRequired } from "../../flows/drafts/allowed.ts";
import { checkDraft } from "../../flows/drafts/check-draft.ts";
import { findUnmet, pickGiven } from "../../flows/drafts/given.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { Step, Steps } from "../ports/generation/steps.ts";

export interface PlanParts {
  readonly flows: Pick<FlowRegistry, "registerFlow" | "registerBuiltIn">;
  /** What flows of the service may use. */
  readonly served: Served;
}

/** Digits of a hash in the name of a version: no two plans of no two goals share them. */
const VERSION_DIGITS = 48;

/** Most characters of a value of the context in the question: it is there to say what the variable is like. */
const MAX_SHOWN_VALUE = 1_000;

const TASK = `Write a workflow that does the goal below, now, and once. The workflow's output (workflow.output) is the result of the goal: it has to be there, and to meet the acceptance criteria. The constraints hold while it runs. A run of it is given the values of the context as variables of the same names; declare those that it uses, and require no others. The goal, as JSON data:`;

/** Creates the steps. */
export function createPlanSteps({ flows, served }: PlanParts): Steps {
  const question: Step = async ({ input }) => {
    const { goal, constraints = [], acceptance_criteria = [], context } = input;
    const shown = Object.entries(objectOf(context)).map(([name, value]) => [name, shorten(value)]);
    const data = { goal: goal ?? "", constraints, acceptance_criteria, context: Object.fromEntries(shown) };
    return { prompt: `${TASK}\n\n${JSON.stringify(data)}` };
  };

  const keep: Step = async ({ tenantId, input }) => {
    const { text = "", hash = "", problems = [] } = objectOf(input["draft"]);
    if (hash === "") return refuse(problems);
    const allowed = readRequired((input["services"] as readonly Json[]).map(String), served);
    // The same checks once more: what was approved may have waited for weeks. It gets another id, so none is taken.
    const checks = { flows, isTaken: async () => false };
    const { draft, problems: found } = await checkDraft(checks, tenantId, String(text), allowed);
    if (draft === null || draft.hash !== hash)
      return refuse(found.length > 0 ? found.map((problem) => ({ ...problem })) : [CHANGED]);
    const given = objectOf(input["context"]);
    const unmet = findUnmet(draft.plan, given);
    if (unmet.length > 0) return refuse(unmet.map((problem) => ({ ...problem })));
    // Of this goal alone: to delete another goal that has the same plan leaves it.
    const name = hashDocument({ hash: draft.hash, run_id: input["run_id"] ?? "" });
    const version = BUILT_IN_VERSION + name.slice(0, VERSION_DIGITS);
    await flows.registerBuiltIn(tenantId, { ...draft.document, id: GOAL_PLAN_FLOW, version });
    return { version, input: pickGiven(draft.plan, given) };
  };

  return new Map([
    [PLAN_STEPS.question, question],
    [PLAN_STEPS.keep, keep],
  ]);
}

const CHANGED: JsonObject = { field: "", description: "the service has changed since it was written" };

/** Error: DRAFT_INVALID with the first problem. */
function refuse(problems: Json): never {
  const [first] = Array.isArray(problems) ? problems : [];
  const { field = "", description = "there is no plan" } = objectOf(first);
  const problem = `${field === "" ? "" : `${field}: `}${description}`;
  return fail("DRAFT_INVALID", { problem });
}

function shorten(value: Json): Json {
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE)}…` : value;
}

function objectOf(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}
