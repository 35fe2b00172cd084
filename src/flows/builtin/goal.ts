/**
 * The flow of a goal: it waits for its result, which comes from outside, and has it judged.
 *
 *   result ─────────────────────────────────────────────→ done    nothing is to be judged
 *   result → criteria ──────────────────────→ verdict ──→ done    all is decided without a model
 *                     └→ judge (a model) ───→ verdict ──→ done
 */
import type { JsonObject } from "../../base/json/json.ts";
import type { BuiltInDocument } from "../ports/built-in.ts";
import { GOAL_FLOW } from "./ids.ts";

/** The limit that lets goals begin. The service does not declare it: goals wait until somebody does, who does them. */
export const GOAL_LIMIT = "orchestrator.dev/goals";

/** The signal that ends a goal, and the task that waits for it. */
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
  /** It has a price, so that its cost can be limited. */
  readonly isPriced: boolean;
}

/** The forms of the flow. Each is the same object for the life of the process. */
export interface GoalFlows {
  /** Of goals of which nothing is judged. */
  readonly unjudged: BuiltInDocument;
  /** Of goals with criteria: expressions, and where there is a model, text. */
  readonly judged: BuiltInDocument;
  /** The model that judges criteria that are text; null: nobody does. */
  readonly model: JudgeModel | null;
}

/** Makes the forms. `model` null: nobody judges criteria that are text. */
export function createGoalFlows(model: JudgeModel | null): GoalFlows {
  return { unjudged: GOAL_DOCUMENT, judged: toDocument(judgedTasks(model)), model };
}

const RESULT_TASK: JsonObject = { id: GOAL_RESULT, type: "signal", timeout: "${vars.max_time_seconds}" };

const VARIABLES = [
  { name: "goal", type: "string", required: true },
  { name: "constraints", type: "array", required: true },
  { name: "acceptance_criteria", type: "array", required: true },
  { name: "priority", type: "string", required: true },
  { name: "max_cost_micros", type: "integer", required: true },
  { name: "max_time_seconds", type: "integer", required: true },
  { name: "max_tokens", type: "integer", required: true },
] as const;

/** The same object for the life of the process. */
const GOAL_DOCUMENT = toDocument([RESULT_TASK]);

function toDocument(tasks: readonly JsonObject[]): BuiltInDocument {
  return {
    id: GOAL_FLOW,
    name: "Goal",
    description: "Something to be done, said in words, submitted to GoalService.",
    variables: [...VARIABLES],
    workflow: {
      signals: {
        [GOAL_RESULT]: {
          schema: {
            type: "object",
            required: ["output"],
            properties: { output: {}, confidence: { type: "number", minimum: 0, maximum: 1 } },
            additionalProperties: false,
          },
        },
      },
      tasks: [...tasks],
      output: `\${tasks.${GOAL_RESULT}.output.output}`,
    },
  };
}

/** Longest time of one answer, seconds. */
const ANSWER_SECONDS = 180;

function judgedTasks(model: JudgeModel | null): readonly JsonObject[] {
  const goal = Object.fromEntries(VARIABLES.map(({ name }) => [name, `\${vars.${name}}`]));
  const input = { goal, result: `\${tasks.${GOAL_RESULT}.output}`, has_model: model !== null };
  const criteria = { id: "criteria", ...stepOf(JUDGE_STEPS.criteria, input), depends_on: [GOAL_RESULT] };
  const decided = "${tasks.criteria.output.decided}";
  if (model === null) {
    const verdict = stepOf(JUDGE_STEPS.verdict, { decided });
    return [RESULT_TASK, criteria, { id: GOAL_VERDICT, ...verdict, depends_on: ["criteria"] }];
  }
  const read = { decided, answer: "${tasks.judge.output}", error: "${tasks.judge.error}" };
  return [
    RESULT_TASK,
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
      ...stepOf(JUDGE_STEPS.verdict, read),
    },
  ];
}

/** How an attempt ends whose answer has been repaired, and still cannot be read. */
const UNREADABLE = "RESPONSE_FORMAT_INVALID";

function stepOf(step: string, input: JsonObject): JsonObject {
  return { type: "step", parameters: { step, input }, timeout: 60 };
}

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
