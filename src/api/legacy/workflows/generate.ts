/**
 * `POST /api/v1/generate` has a model write a template. `GET /api/v1/generate/{id}`, and `approve` and `reject` below
 * it, are this service's own: the merged document ends with the first answer.
 */
import { isOrchestratorError } from "../../../base/errors.ts";
import { refuseField } from "../../../base/field-error.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { readFlowSource } from "../../../flows/document/parse.ts";
import { type Generation, GenerationComplexity, GenerationStatus } from "../../../gen/orchestrator/v1/generation_pb.ts";
import { GenerationService } from "../../../gen/orchestrator/v1/generation_service_pb.ts";
import { type Answer, answer, type Exchange, readText } from "../exchange.ts";

/** How long a request waits for the draft, seconds: the answer is there within 50. */
const WAIT_SECONDS = 45n;

const COMPLEXITIES = {
  low: GenerationComplexity.LOW,
  medium: GenerationComplexity.MEDIUM,
  high: GenerationComplexity.HIGH,
} as const;

const STATUS_WORDS: ReadonlyMap<number, string> = new Map(
  Object.entries(GenerationStatus).map(([name, status]) => [Number(status), name.toLowerCase()]),
);

/** Begins a generation, and answers with its draft: 200, or 202 if there is none within 50 s. */
export async function startGeneration({ client, idempotencyKey, body }: Exchange): Promise<Answer> {
  const { prompt, domain, complexity, required_services: services, ...others } = (await body()) ?? {};
  const [other] = Object.keys(others);
  if (other !== undefined)
    refuseField(other.slice(0, 100), "unknown key; known: prompt, domain, complexity, required_services");
  const text = readText(prompt, "prompt");
  if (text === "") refuseField("prompt", "is missing; say what the workflow is to do");
  const { generation } = await client.call(GenerationService.method.startGeneration, {
    ...{ prompt: text, domain: readText(domain, "domain"), requestId: idempotencyKey },
    complexity: readComplexity(readText(complexity, "complexity")),
    requiredServices: readWords(services),
    wait: { seconds: WAIT_SECONDS },
  });
  return toAnswer(generation, 202);
}

/** `GET /api/v1/generate/{id}` */
export async function getGeneration({ client, params }: Exchange): Promise<Answer> {
  const [generationId = ""] = params;
  const { generation } = await client.call(GenerationService.method.getGeneration, { generationId });
  return toAnswer(generation, 200);
}

/** `POST /api/v1/generate/{id}/approve` with `draft_hash` and an optional `comment`. */
export async function approveGeneration({ client, params, idempotencyKey, body }: Exchange): Promise<Answer> {
  const { draft_hash: hash, comment } = (await body()) ?? {};
  const draftHash = readText(hash, "draft_hash");
  if (draftHash === "") refuseField("draft_hash", "is missing; name the hash of the draft that you have read");
  const { generation } = await client.call(GenerationService.method.approveGeneration, {
    ...{ generationId: params[0] ?? "", draftHash },
    ...{ comment: readText(comment, "comment"), requestId: idempotencyKey },
  });
  return toAnswer(generation, 200);
}

/** `POST /api/v1/generate/{id}/reject` with an optional `comment`. */
export async function rejectGeneration({ client, params, idempotencyKey, body }: Exchange): Promise<Answer> {
  const { comment } = (await body()) ?? {};
  const { generation } = await client.call(GenerationService.method.rejectGeneration, {
    ...{ generationId: params[0] ?? "", comment: readText(comment, "comment"), requestId: idempotencyKey },
  });
  return toAnswer(generation, 200);
}

/** The document of the draft; one that cannot be read is its text. */
function workflowOf({ draft }: Generation): Json {
  if (draft === "") return null;
  try {
    return readFlowSource(draft).value;
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return draft;
  }
}

function readComplexity(word: string): GenerationComplexity {
  if (word === "") return GenerationComplexity.UNSPECIFIED;
  const known = COMPLEXITIES[word as keyof typeof COMPLEXITIES] as GenerationComplexity | undefined;
  return known ?? refuseField("complexity", `expected one of ${Object.keys(COMPLEXITIES).join(", ")}`);
}

function readWords(value: Json | undefined): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return refuseField("required_services", "expected a list of names");
  return (value as readonly Json[]).map((word, index) => {
    const text = readText(word, `required_services[${index}]`);
    return text === "" ? refuseField(`required_services[${index}]`, "expected a name") : text;
  });
}

function toAnswer(generation: Generation | undefined, unfinished: number): Answer {
  if (generation === undefined) throw new Error("a call answers with the generation");
  const { error, estimate, status } = generation;
  const shown: JsonObject = {
    generation_id: generation.generationId,
    status: STATUS_WORDS.get(status) ?? "generating",
    workflow: workflowOf(generation),
    draft_hash: generation.draftHash === "" ? null : generation.draftHash,
    template_id: generation.templateId === "" ? null : generation.templateId,
    problems: generation.problems.map(({ path, line, message }) => ({ path, line, message })),
    estimate:
      estimate === undefined
        ? null
        : {
            ...{ reaches: estimate.reaches, ways: estimate.ways },
            ...{ is_cut: estimate.isCut, most_calls: estimate.mostCalls, is_lower_bound: estimate.lowerBound },
            assumptions: estimate.assumptions.map(({ place, text }) => ({ place, text })),
            max_cost_usd: Number(estimate.models?.maxCostMicros ?? 0) / 1_000_000,
            max_tokens: Number(estimate.models?.maxTokens ?? 0),
          },
    tries: generation.tries,
    cost_usd: Number(generation.costMicros) / 1_000_000,
    used_tokens: Number(generation.usedTokens),
    error: error === undefined ? null : { code: error.type, message: error.message },
  };
  return answer(status === GenerationStatus.GENERATING ? unfinished : 200, shown);
}
