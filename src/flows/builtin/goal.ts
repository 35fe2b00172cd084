/**
 * The flow of a goal: it waits for its result, and has it judged. The result comes from outside, as a signal, or from
 * the child run that plans and does the goal.
 *
 *   result ─────────────────────────────────────────────→ done    nothing is to be judged
 *   result → criteria ──────────────────────→ verdict ──→ done    all is decided without a model
 *                     └→ judge (a model) ───→ verdict ──→ done
 */
import type { JsonObject } from "../../base/json/json.ts";
import type { BuiltInDocument, UsedFlow } from "../ports/built-in.ts";
import { usedFlowOf } from "./built-in-flows.ts";
import { stepTask } from "./generation.ts";
import { createGoalWorkFlow, type PlanApproval } from "./goal-work.ts";
import { GOAL_FLOW } from "./ids.ts";

/**
 * The limit that lets goals begin. The service does not declare it: goals that it does not plan wait until somebody
 * does, who does them.
 */
export const GOAL_LIMIT = "orchestrator.dev/goals";

/** The task that waits for the result, and the signal that brings one from outside. */
export const GOAL_RESULT = "result";

/** The task that gives the verdict on the result. */
export const GOAL_VERDICT = "verdict";

/** Names of the steps of the judge. */
export const JUDGE_STEPS = { criteria: "goal.criteria", verdict: "goal.verdict" } as const;

/** The model that judges. */
export interface JudgeModel {
  readonly provider: string;
  /** Null: the first one of the provider. */
  readonly model: string | null;
}

/** Two forms of the flow. Each is the same object for the life of the process. */
export interface GoalForms {
  /** Of goals of which nothing is judged. */
  readonly unjudged: BuiltInDocument;
  /** Of goals with criteria: expressions, and where there is a model, text. */
  readonly judged: BuiltInDocument;
}

/** How the service plans goals. */
export interface PlanRules {
  /** The flow that writes the plans. */
  readonly generation: BuiltInDocument;
  readonly approve: PlanApproval;
  /** What plans may reach, as requests of generations name it. */
  readonly services: readonly string[];
  /** How many goals are under way at once, unless the limit is declared. */
  readonly maxConcurrent: number;
  /** Nobody has said that goals are planned here: those of tenants who do theirs elsewhere are not. */
  readonly isDefault: boolean;
}

/** How goals are planned, with the flows that it takes. */
export interface GoalPlanning extends Omit<PlanRules, "generation"> {
  readonly forms: GoalForms;
  /** The flows of child runs, which have to be registered first. */
  readonly parts: readonly BuiltInDocument[];
}

/** The flows of goals. */
export interface GoalFlows {
  /** Of goals whose result comes from outside. */
  readonly elsewhere: GoalForms;
  /** Null: this service plans none. */
  readonly planning: GoalPlanning | null;
  /** The model that judges criteria that are text; null: nobody does. */
  readonly model: JudgeModel | null;
}

/** Makes the flows. `model` null: nobody judges criteria that are text. */
export function createGoalFlows(model: JudgeModel | null, rules: PlanRules | null = null): GoalFlows {
  return { elsewhere: formsOf(SIGNAL_TASK, model), planning: rules === null ? null : planningOf(rules, model), model };
}

function planningOf({ generation, ...rules }: PlanRules, model: JudgeModel | null): GoalPlanning {
  const work = createGoalWorkFlow(usedFlowOf(generation), rules.approve, rules.services);
  return { ...rules, parts: [generation, work], forms: formsOf(workTask(usedFlowOf(work)), model) };
}

function formsOf(result: JsonObject, model: JudgeModel | null): GoalForms {
  return { unjudged: toDocument([result]), judged: toDocument([result, ...judgeTasks(model)]) };
}

/** The result from outside. */
const SIGNAL_TASK: JsonObject = { id: GOAL_RESULT, type: "signal", timeout: "${vars.max_time_seconds}" };

/** What is left of tokens and dollars for the judge, percent: planning and doing may not spend it. */
const JUDGE_PERCENT = 10;

/** The result of the plan. */
function workTask({ flowId, version }: UsedFlow): JsonObject {
  const part = 100 - JUDGE_PERCENT;
  return {
    id: GOAL_RESULT,
    type: "subflow",
    parameters: {
      flow_id: flowId,
      version,
      input: {
        ...Object.fromEntries(PLANNED.map((name) => [name, `\${vars.${name}}`])),
        context: "${run.context == null ? {} : run.context}",
      },
      budget: {
        max_tokens: `\${vars.max_tokens * ${part} / 100}`,
        max_cost_usd: `\${double(vars.max_cost_micros) * ${part}.0 / 100000000.0}`,
        // What undoes a plan is a part of it, and so is a model of which nobody knows the price.
        ...{ unpriced: "tokens_only", compensation: true },
        // Of attempts: the time in which somebody decides, or the run is held, does not count.
        max_time: "${vars.max_time_seconds}",
      },
    },
  };
}

/** What a plan is made of, with the context. */
const PLANNED = ["goal", "constraints", "acceptance_criteria"] as const;

const VARIABLES = [
  { name: "goal", type: "string", required: true },
  { name: "constraints", type: "array", required: true },
  { name: "acceptance_criteria", type: "array", required: true },
  { name: "priority", type: "string", required: true },
  { name: "max_cost_micros", type: "integer", required: true },
  { name: "max_time_seconds", type: "integer", required: true },
  { name: "max_tokens", type: "integer", required: true },
] as const;

function toDocument(tasks: readonly JsonObject[]): BuiltInDocument {
  return {
    id: GOAL_FLOW,
    name: "Goal",
    description: "Something to be done, said in words, submitted to GoalService.",
    variables: [...VARIABLES],
    workflow: {
      ...(tasks.some(({ type }) => type === "signal") ? { signals: { [GOAL_RESULT]: { schema: SIGNALED } } } : {}),
      tasks: [...tasks],
      output: `\${tasks.${GOAL_RESULT}.output.output}`,
    },
  };
}

/** A result from outside. */
const SIGNALED: JsonObject = {
  type: "object",
  required: ["output"],
  properties: { output: {}, confidence: { type: "number", minimum: 0, maximum: 1 } },
  additionalProperties: false,
};

/** Longest time of one answer, seconds. */
const ANSWER_SECONDS = 180;

function judgeTasks(model: JudgeModel | null): readonly JsonObject[] {
  const goal = Object.fromEntries(VARIABLES.map(({ name }) => [name, `\${vars.${name}}`]));
  const input = { goal, result: `\${tasks.${GOAL_RESULT}.output}`, has_model: model !== null };
  const criteria = { id: "criteria", ...stepTask(JUDGE_STEPS.criteria, input), depends_on: [GOAL_RESULT] };
  const decided = "${tasks.criteria.output.decided}";
  if (model === null) {
    const verdict = stepTask(JUDGE_STEPS.verdict, { decided });
    return [criteria, { id: GOAL_VERDICT, ...verdict, depends_on: ["criteria"] }];
  }
  const read = { decided, answer: "${tasks.judge.output}", error: "${tasks.judge.error}" };
  return [
    criteria,
    {
      ...{ id: "asks", type: "condition", depends_on: ["criteria"] },
      condition: "${tasks.criteria.output.is_asked}",
      ...{ on_success: ["judge"], on_failure: [GOAL_VERDICT] },
    },
    {
      ...{ id: "judge", type: "ai", parameters: askJudge(model), timeout: ANSWER_SECONDS, on_error: "continue" },
      retry_policy: { max_retries: 5, backoff_type: "exponential", initial_delay: "2s", non_retryable: [UNREADABLE] },
    },
    {
      ...{ id: GOAL_VERDICT, depends_on: ["judge"], trigger_rule: "none_failed" },
      ...stepTask(JUDGE_STEPS.verdict, read),
    },
  ];
}

/** How an attempt ends whose answer has been repaired, and still cannot be read. */
const UNREADABLE = "RESPONSE_FORMAT_INVALID";

function askJudge({ provider, model }: JudgeModel): JsonObject {
  return {
    ...{ transport: "model", provider, ...(model === null ? {} : { model }) },
    system: "${tasks.criteria.output.system}",
    prompt: "${tasks.criteria.output.prompt}",
    response_format: "${tasks.criteria.output.response_format}",
    max_tokens: "${tasks.criteria.output.max_tokens}",
    repairs: 1,
  };
}
