import { formatDollars } from "../../base/money.ts";
import type { GenerationEstimate } from "../../gen/orchestrator/v1/generation_pb.ts";
import { toStdout } from "./output.ts";

/** Prints what a run of a draft would do. An upper bound is claimed only where nothing was assumed. */
export function printDraftEstimate(estimate: GenerationEstimate): void {
  const { reaches, isCut, ways, mostCalls, lowerBound, models, assumptions } = estimate;
  const calls = `${mostCalls} ${mostCalls === 1 ? "call" : "calls"}`;
  toStdout`reaches: ${reaches.length === 0 ? "nothing outside" : reaches.join(", ")}\n`;
  toStdout`ways: ${isCut ? "at least " : ""}${ways}, with ${lowerBound ? `at least ${calls}` : `${calls} at most`}\n`;
  const { maxCostMicros = 0n, maxTokens = 0n, unsizedTaskIds = [], uncountedTaskIds = [] } = models ?? {};
  const isMore = lowerBound || unsizedTaskIds.length > 0 || uncountedTaskIds.length > 0;
  if (maxTokens > 0n)
    toStdout`models: ${isMore ? "at least" : "up to"} ${maxTokens} tokens and ${formatDollars(maxCostMicros)}\n`;
  for (const { place, text } of assumptions) toStdout`assumed for ${place}: ${text}\n`;
}
