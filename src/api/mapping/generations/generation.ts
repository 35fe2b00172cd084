/** Converts generations to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type {
  GenerationComplexity as ComplexityName,
  DraftEstimate,
  GenerationRecord,
  GenerationView,
  GenerationStatus as StatusName,
} from "../../../engine/ports/generation/generations.ts";
import {
  type Generation,
  GenerationComplexity,
  type GenerationEstimate,
  GenerationEstimateSchema,
  GenerationSchema,
  GenerationStatus,
} from "../../../gen/orchestrator/v1/generation_pb.ts";
import { toProblems } from "../flow.ts";
import { toAssumption, toDryRunEstimate } from "../flows/dry-run.ts";
import { toTimestamp } from "../time.ts";

const STATUS = {
  generating: GenerationStatus.GENERATING,
  draft: GenerationStatus.DRAFT,
  approved: GenerationStatus.APPROVED,
  rejected: GenerationStatus.REJECTED,
  failed: GenerationStatus.FAILED,
} as const satisfies Record<StatusName, GenerationStatus>;

const COMPLEXITY = {
  low: GenerationComplexity.LOW,
  medium: GenerationComplexity.MEDIUM,
  high: GenerationComplexity.HIGH,
} as const satisfies Record<ComplexityName, GenerationComplexity>;

/** What a generation has cost, and why it does not go on. */
export interface GenerationFacts {
  readonly costMicros: number;
  readonly tokens: number;
  /** Empty: it goes on, or has ended. */
  readonly waitingReason: string;
}

/** The status that a request names; null: none. */
export function fromGenerationStatus(status: GenerationStatus): StatusName | null {
  return (Object.keys(STATUS) as StatusName[]).find((name) => STATUS[name] === status) ?? null;
}

/** The complexity that a request names, or the default. */
export function fromComplexity(complexity: GenerationComplexity): ComplexityName {
  return (Object.keys(COMPLEXITY) as ComplexityName[]).find((name) => COMPLEXITY[name] === complexity) ?? "medium";
}

/** Converts a line of a list. */
export function toListedGeneration(view: GenerationView): Generation {
  return create(GenerationSchema, {
    generationId: view.generationId,
    tenantId: view.tenantId,
    status: STATUS[view.status],
    prompt: view.prompt,
    domain: view.domain,
    complexity: COMPLEXITY[view.complexity],
    requiredServices: [...view.requiredServices],
    templateId: view.templateId,
    createTime: toTimestamp(view.createdAt),
    updateTime: toTimestamp(view.updatedAt),
  });
}

/** Converts a frame of a watch: no draft, but how it ended. */
export function toWatchedGeneration(record: GenerationRecord): Generation {
  const { draft, error, decision } = record;
  const generation = toListedGeneration(record);
  generation.tries = draft?.tries ?? 0;
  generation.draftHash = draft?.hash ?? "";
  if (error !== null) {
    const { type, message, task: taskId } = error;
    generation.error = { $typeName: "orchestrator.v1.RunError", type, message, taskId };
  }
  if (decision !== null) {
    generation.decidedBy = decision.by;
    generation.comment = decision.comment;
    generation.decideTime = toTimestamp(decision.at);
  }
  return generation;
}

/** Converts a generation with its draft. */
export function toGeneration(record: GenerationRecord, facts: GenerationFacts): Generation {
  const { draft } = record;
  const generation = toWatchedGeneration(record);
  generation.costMicros = BigInt(facts.costMicros);
  generation.usedTokens = BigInt(facts.tokens);
  generation.waitingReason = facts.waitingReason;
  if (draft === null) return generation;
  generation.draft = draft.text;
  generation.problems = toProblems(draft.problems);
  if (draft.estimate !== null) generation.estimate = toDraftEstimate(draft.estimate);
  return generation;
}

/** Converts what a run of a draft would do. */
export function toDraftEstimate(estimate: DraftEstimate): GenerationEstimate {
  return create(GenerationEstimateSchema, {
    reaches: [...estimate.reaches],
    ways: estimate.ways,
    isCut: estimate.isCut,
    mostCalls: estimate.mostCalls,
    models: toDryRunEstimate(estimate.models),
    lowerBound: estimate.isLowerBound,
    assumptions: estimate.assumptions.map(toAssumption),
  });
}
