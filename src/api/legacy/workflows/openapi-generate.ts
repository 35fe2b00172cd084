/** The routes of generations in OpenAPI. */
import { count, list, object, type Schema, text } from "../openapi-forms.ts";
import { GENERATION_STATUSES } from "./words.ts";

const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });

/** Schemas by name, without their prefix. */
export function generationSchemas(ref: (name: string) => Schema): Readonly<Record<string, Schema>> {
  return {
    GenerateRequest: {
      ...object(
        {
          prompt: text("What the workflow is to do, in words.", { minLength: 1, maxLength: 16_384 }),
          domain: { type: ["string", "null"], maxLength: 256, description: "The field that it belongs to, in words." },
          complexity: {
            ...{ type: ["string", "null"], enum: ["low", "medium", "high", "", null] },
            description: "How large it may become; medium by default.",
          },
          required_services: {
            ...{ type: ["array", "null"], maxItems: 50, items: { type: "string", pattern: "^[!-~]{1,300}$" } },
            description: "All that its tasks may reach: `data`, `ai`, `exec`, and names as in StartGeneration.",
          },
        },
        ["domain", "complexity", "required_services"],
      ),
      additionalProperties: false,
    },
    ApproveRequest: object(
      {
        draft_hash: text("Hash of the draft that was read.", { pattern: "^[0-9a-f]{64}$" }),
        comment: { type: ["string", "null"], maxLength: 4_096, description: "Kept with the decision." },
      },
      ["comment"],
    ),
    RejectRequest: object(
      { comment: { type: ["string", "null"], maxLength: 4_096, description: "Kept with the decision." } },
      ["comment"],
    ),
    Generation: object({
      generation_id: text("Id of the generation."),
      status: { type: "string", enum: GENERATION_STATUSES },
      workflow: {
        type: ["object", "string", "null"],
        description: "The draft: a template, or text if it cannot be read as one. Null before the first answer.",
      },
      draft_hash: { type: ["string", "null"], description: "Names the draft in an approval; null if it has problems." },
      template_id: { type: ["string", "null"], description: "Id that the template has once it is approved." },
      problems: list(
        object({ path: text("Place in the draft."), line: count("0: unknown."), message: text("What is wrong.") }),
      ),
      estimate: orNull(
        object({
          reaches: list({ type: "string" }),
          ways: count("Ways that a dry run has followed."),
          is_cut: { type: "boolean", description: "There are more ways, or one was not followed to its end." },
          most_calls: count("Most calls of tasks on one of them."),
          is_lower_bound: { type: "boolean", description: "A run may make more calls, and cost more." },
          assumptions: list(object({ place: text("Of what."), text: text("What was assumed.") })),
          max_cost_usd: { type: "number", minimum: 0, description: "What models may cost on the dearest way." },
          max_tokens: count("Tokens of models on the way that needs the most."),
        }),
      ),
      tries: count("Answers of the model so far."),
      cost_usd: { type: "number", minimum: 0, description: "What the model has cost so far." },
      used_tokens: count("Tokens of the model so far."),
      error: orNull(ref("Problem")),
    }),
  };
}
