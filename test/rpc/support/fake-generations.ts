/** Lists of generations without generations, and a flow of generations for a model that nobody has to call. */
import type { Generations } from "../../../src/engine/ports/generation/generations.ts";
import { createGenerationFlow } from "../../../src/flows/builtin/generation.ts";
import { ALL_SERVED, type Served } from "../../../src/flows/check/unserved.ts";
import type { BuiltInDocument } from "../../../src/flows/ports/built-in.ts";

interface FakeGenerations {
  readonly generations: Generations;
  readonly generationFlow: BuiltInDocument | null;
  readonly servedFlows: Served;
}

export function createFakeGenerations(): FakeGenerations {
  const author = { transport: "model", provider: "open", model: "small" } as const;
  return {
    generations: { list: async () => [] },
    generationFlow: createGenerationFlow({ ...author, maxCostUsd: null, maxTokens: 10_000 }),
    servedFlows: ALL_SERVED,
  };
}
