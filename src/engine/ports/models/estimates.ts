/** The port of estimates: how large a call to a model would be, before anything is called. */
import type { MeteredCall } from "./meter.ts";
import type { AiParameters } from "./questions.ts";

/** What decides how much a call reserves. */
export type CallSize = Pick<
  MeteredCall,
  "provider" | "model" | "inputTokens" | "maxOutputTokens" | "inputPriceMicros" | "outputPriceMicros"
>;

/** What is known of a question; a prompt that is not known counts as an empty one. */
export type KnownQuestion = Partial<AiParameters>;

/** Sizes calls. */
export interface ModelEstimates {
  /** The first call of a question to its first model; null: this service has no such model. */
  sizeOf(asked: KnownQuestion): CallSize | null;
}
