/**
 * The flow that does a goal: a model writes a plan, somebody approves it (unless the service is told not to ask), and
 * it runs. It is the child run of a goal, which gives it a part of its budget.
 *
 *   question → draft ─┬─→ approve → keep → do → done
 *   (a generation)    └───────────→ keep → do → done    `approve: none`, or there is no draft and `keep` says why
 *
 * The plan is data of the run until `keep` makes it a version of a flow that nobody else starts, changes, or lists.
 */
import type { JsonObject } from "../../base/json/json.ts";
import type { BuiltInDocument, UsedFlow } from "../ports/built-in.ts";
import { DECISION_TIME, stepTask } from "./generation.ts";
import { GOAL_PLAN_FLOW, GOAL_WORK_FLOW } from "./ids.ts";

/** Names of the steps. */
export const PLAN_STEPS = { question: "goal.question", keep: "goal.keep" } as const;

/** States that others read. */
export const PLAN_STATES = { draft: "draft", approve: "approve", keep: "keep", do: "do" } as const;

/** Whether somebody has to approve a plan. */
export type PlanApproval = "person" | "none";

/** Makes the document. The same object has to be used for the life of the process. */
export function createGoalWorkFlow(
  generation: UsedFlow,
  approve: PlanApproval,
  services: readonly string[],
): BuiltInDocument {
  const draft = "tasks.draft.output";
  return {
    id: GOAL_WORK_FLOW,
    name: "Work of a goal",
    description: "A plan for a goal of GoalService, and what it does.",
    variables: [
      { name: "goal", type: "string", required: true },
      { name: "constraints", type: "array", required: true },
      { name: "acceptance_criteria", type: "array", required: true },
      { name: "context", type: "object", required: true },
    ],
    workflow: {
      states: [
        {
          id: "question",
          task: stepTask(PLAN_STEPS.question, {
            goal: "${vars.goal}",
            constraints: "${vars.constraints}",
            acceptance_criteria: "${vars.acceptance_criteria}",
            context: "${vars.context}",
          }),
          transitions: [{ to: PLAN_STATES.draft }],
        },
        {
          id: PLAN_STATES.draft,
          task: {
            type: "subflow",
            parameters: {
              flow_id: generation.flowId,
              version: generation.version,
              input: {
                prompt: "${tasks.question.output.prompt}",
                required_services: [...services],
                approve: "none",
                given: "${vars.context}",
              },
            },
          },
          transitions: [
            ...(approve === "none" ? [] : [{ when: `\${${draft}.hash != ''}`, to: PLAN_STATES.approve }]),
            { to: PLAN_STATES.keep },
          ],
        },
        ...(approve === "none" ? [] : [approval(draft)]),
        {
          id: PLAN_STATES.keep,
          task: stepTask(PLAN_STEPS.keep, {
            draft: `\${${draft}}`,
            services: [...services],
            context: "${vars.context}",
            run_id: "${run.run_id}",
          }),
          transitions: [{ to: PLAN_STATES.do }],
        },
        {
          id: PLAN_STATES.do,
          task: {
            type: "subflow",
            parameters: {
              flow_id: GOAL_PLAN_FLOW,
              version: "${tasks.keep.output.version}",
              input: "${tasks.keep.output.input}",
            },
          },
          transitions: [{ to: "done" }],
        },
        { id: "done", final: "completed" },
      ],
      // As a result from outside. A plan does not say how sure it is: its result is judged.
      output: { output: "${tasks.do.output}" },
    },
  };
}

function approval(draft: string): JsonObject {
  return {
    id: PLAN_STATES.approve,
    task: {
      type: "approval",
      parameters: {
        title: "Do the goal with this plan?",
        description: "GetGoal, or `orchestrator goals get`, shows it.",
        // The person who approves names what was read.
        form: {
          type: "object",
          required: ["plan_hash"],
          properties: { plan_hash: { const: `\${${draft}.hash}` } },
          additionalProperties: false,
        },
      },
      timeout: DECISION_TIME,
    },
    transitions: [{ to: PLAN_STATES.keep }],
  };
}
