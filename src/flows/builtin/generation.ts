/**
 * The flow of a generation: a model writes a template, and a person approves it.
 *
 *   question → ask → check ─┬─→ approve → keep → done     a person decides
 *               ↑           ├─→ done                      another flow of the service decides (`approve: none`), also
 *               │           │                             about a last draft that has problems
 *               └───────────┤                             the draft has problems, and the model may fix them
 *                           └─→ refused
 *
 * The draft is data of the run and nothing else until `keep` makes it a template.
 */
import type { JsonObject } from "../../base/json/json.ts";
import type { BuiltInDocument } from "../ports/built-in.ts";
import { GENERATION_FLOW } from "./ids.ts";

/** Who writes drafts. */
export interface DraftAuthor {
  readonly transport: "model" | "agent";
  /** Null: the one that the service, or the agent, takes. */
  readonly provider: string | null;
  readonly model: string | null;
}

/** What a generation may cost. */
export interface GenerationRules extends DraftAuthor {
  /** Dollars; null: any amount. */
  readonly maxCostUsd: number | null;
  readonly maxTokens: number;
}

/** How often the model may fix a draft. */
export const MAX_REPAIRS = 3;

/** Names of the steps. */
export const DRAFT_STEPS = { question: "draft.question", check: "draft.check", keep: "draft.keep" } as const;

/** States that others read. */
export const CHECK_STATE = "check";
export const APPROVE_STATE = "approve";
export const KEEP_STATE = "keep";
export const REFUSED_STATE = "refused";

/** Attempts that a model fails are made again; an agent that nobody runs is waited for so long. */
const AGENT_WAIT = "10m";

/** Largest time for a decision. */
export const DECISION_TIME = "30d";

const REQUEST: JsonObject = {
  prompt: "${vars.prompt}",
  domain: "${vars.domain}",
  complexity: "${vars.complexity}",
  required_services: "${vars.required_services}",
  given: "${vars.given}",
};

/** Makes the document. The same object has to be used for the life of the process. */
export function createGenerationFlow(rules: GenerationRules): BuiltInDocument {
  const { maxCostUsd, maxTokens } = rules;
  const draft = `tasks.${CHECK_STATE}.output`;
  return {
    id: GENERATION_FLOW,
    name: "Generation",
    description: "A template that a model writes for GenerationService.",
    variables: [
      { name: "prompt", type: "string", required: true },
      { name: "domain", type: "string", default: "" },
      { name: "complexity", type: "string", default: "medium", enum: ["low", "medium", "high"] },
      { name: "required_services", type: "array", default: [] },
      // Callers cannot start this flow: `none` is for flows of the service, which decide themselves.
      { name: "approve", type: "string", default: "person", enum: ["person", "none"] },
      // What a run of the template is given, by the names of variables; null: nobody knows yet.
      { name: "given", type: "object" },
    ],
    workflow: {
      budget: { max_tokens: maxTokens, ...(maxCostUsd === null ? {} : { max_cost_usd: maxCostUsd }) },
      states: [
        { id: "question", task: stepTask(DRAFT_STEPS.question, REQUEST), transitions: [{ to: "ask" }] },
        { id: "ask", task: askTask(rules), transitions: [{ to: CHECK_STATE }] },
        {
          id: CHECK_STATE,
          task: stepTask(DRAFT_STEPS.check, {
            ...REQUEST,
            answer: "${tasks.ask.output}",
            tries: `\${${draft} == null ? 1 : ${draft}.tries + 1}`,
          }),
          transitions: [
            { when: `\${${draft}.hash != '' && vars.approve == 'person'}`, to: APPROVE_STATE },
            { when: `\${${draft}.hash != ''}`, to: "done" },
            { when: `\${${draft}.tries <= ${MAX_REPAIRS}}`, to: "ask" },
            // The flow that asked says what that means.
            { when: "${vars.approve == 'none'}", to: "done" },
            { to: REFUSED_STATE },
          ],
        },
        {
          id: APPROVE_STATE,
          task: {
            type: "approval",
            parameters: {
              title: `Make the draft \${${draft}.template_id} a template?`,
              description: "GetGeneration, or `orchestrator generate get ${run.run_id}`, shows it.",
              // The person who approves names what was read.
              form: {
                type: "object",
                required: ["draft_hash"],
                properties: { draft_hash: { const: `\${${draft}.hash}` } },
                additionalProperties: false,
              },
            },
            timeout: DECISION_TIME,
          },
          transitions: [{ to: KEEP_STATE }],
        },
        {
          id: KEEP_STATE,
          task: stepTask(DRAFT_STEPS.keep, {
            text: `\${${draft}.text}`,
            hash: `\${${draft}.hash}`,
            by: `\${tasks.${APPROVE_STATE}.output.by}`,
          }),
          transitions: [{ to: "done" }],
        },
        { id: REFUSED_STATE, final: "failed" },
        { id: "done", final: "completed" },
      ],
      output: {
        template_id: `\${tasks.${KEEP_STATE}.output == null ? ${draft}.template_id : tasks.${KEEP_STATE}.output.template_id}`,
        hash: `\${${draft}.hash}`,
        text: `\${${draft}.text}`,
        problems: `\${${draft}.problems}`,
        estimate: `\${${draft}.estimate}`,
        approved: "${vars.approve == 'person'}",
      },
    },
  };
}

/** A task of the service itself. */
export function stepTask(step: string, input: JsonObject): JsonObject {
  return { type: "step", parameters: { step, input }, timeout: 60 };
}

function askTask({ transport, provider, model }: DraftAuthor): JsonObject {
  const isModel = transport === "model";
  const system = "tasks.question.output.system";
  const prompt = `(tasks.${CHECK_STATE}.output == null ? tasks.question.output.prompt : tasks.${CHECK_STATE}.output.next_prompt)`;
  return {
    type: "ai",
    parameters: {
      transport,
      ...(provider === null ? {} : { provider }),
      ...(model === null ? {} : { model }),
      // Agents know one text.
      ...(isModel
        ? { system: `\${${system}}`, prompt: `\${${prompt}}` }
        : { prompt: `\${${system}}\n\n\${${prompt}}` }),
    },
    timeout: 180,
    ...(isModel ? {} : { schedule_to_start_timeout: AGENT_WAIT }),
    retry_policy: { max_retries: 3, backoff_type: "exponential", initial_delay: "2s" },
  };
}
