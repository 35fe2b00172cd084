/** What `ai` tasks ask of models. */
import type { AiParameters } from "../../../tasks/agents/ai.ts";
import type { ModelErrorType } from "../../../tasks/agents/model-errors.ts";

/** Evaluated and checked parameters of a task, and why a call gave no answer. */
export type { AiParameters, ModelErrorType };
