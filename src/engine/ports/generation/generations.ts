/** Generations: templates that a model writes, before and after somebody has approved them. */
import type { FieldViolation } from "../../../base/errors.ts";
import type { Caller } from "../caller.ts";
import type { Assumption, DryEstimate } from "../dry-run/dry-runs.ts";

/** How far a generation is. */
export type GenerationStatus = "generating" | "draft" | "approved" | "rejected" | "failed";

/** How large the flow may become. */
export type GenerationComplexity = "low" | "medium" | "high";

/** A generation without its draft. Times are milliseconds since the epoch. */
export interface GenerationView {
  readonly generationId: string;
  readonly tenantId: string;
  readonly status: GenerationStatus;
  readonly prompt: string;
  readonly domain: string;
  readonly complexity: GenerationComplexity;
  readonly requiredServices: readonly string[];
  /** Empty: there is no draft without problems. */
  readonly templateId: string;
  readonly createdAt: number;
  /** When its status last changed. */
  readonly updatedAt: number;
}

/** What a run of a draft would do. */
export interface DraftEstimate {
  /** As the request names places. */
  readonly reaches: readonly string[];
  readonly ways: number;
  /** There are more ways, or one was not followed to its end. */
  readonly isCut: boolean;
  readonly mostCalls: number;
  readonly models: DryEstimate;
  /** A run may make more calls, and cost more. */
  readonly isLowerBound: boolean;
  /** The first of them. */
  readonly assumptions: readonly Assumption[];
}

/** What is known of the last draft. */
export interface DraftView {
  readonly text: string;
  /** Empty: it has problems. */
  readonly hash: string;
  readonly problems: readonly FieldViolation[];
  readonly estimate: DraftEstimate | null;
  /** Answers so far. */
  readonly tries: number;
}

/** A generation with all that is known of it. */
export interface GenerationRecord extends GenerationView {
  /** Null: there was no answer yet. */
  readonly draft: DraftView | null;
  /** Why there is no template; null: there may be one. */
  readonly error: { readonly type: string; readonly message: string; readonly task: string } | null;
  /** Null: nobody has decided. */
  readonly decision: { readonly by: string; readonly comment: string; readonly at: number } | null;
}

/** Where a list continues. */
export interface GenerationPlace {
  readonly createdAt: number;
  readonly generationId: string;
}

/** Lists of generations. */
export interface Generations {
  /** Newest first. `status` null: all. */
  list(
    caller: Caller,
    status: GenerationStatus | null,
    after: GenerationPlace | null,
    limit: number,
  ): Promise<readonly GenerationView[]>;
}
