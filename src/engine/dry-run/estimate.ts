/** What the calls to models of a dry run would reserve in budgets. */
import type { JsonObject } from "../../base/json/json.ts";
import type { TaskSpec } from "../../flows/plan.ts";
import { reserveOf } from "../budgets/reserve.ts";
import type { DryEstimate, PlayedCall, PlayedReserve, Way } from "../ports/dry-run/dry-runs.ts";
import type { KnownQuestion, ModelEstimates } from "../ports/models/estimates.ts";

/** What decides which model is asked. */
const CHOOSING = ["provider", "model"] as const;

/** What decides how much it reads. */
const READ = ["prompt", "messages", "system", "response_format"] as const;

/** What the first call of an attempt reserves; null: no model of this service is asked, or it is not known which. */
export function reserveFor(
  { type, effect }: TaskSpec,
  known: JsonObject,
  missing: readonly string[],
  estimates: ModelEstimates,
): PlayedReserve | null {
  const isUnknown = (name: string): boolean => missing.includes(name);
  if (type !== "ai" || effect !== "effectful" || CHOOSING.some(isUnknown)) return null;
  const size = estimates.sizeOf(known as KnownQuestion);
  if (size === null) return null;
  return {
    model: `${size.provider}/${size.model}`,
    tokens: size.inputTokens + size.maxOutputTokens,
    costMicros: reserveOf(size)?.costMicros ?? null,
    isSized: !READ.some(isUnknown) && !isUnknown("max_tokens"),
  };
}

/** The least and the most of all ways. */
export function toEstimate(ways: readonly Way[]): DryEstimate {
  const calls = ways.flatMap((way) => way.calls);
  const namesOf = (isMeant: (call: PlayedCall) => boolean, nameOf: (call: PlayedCall) => string): readonly string[] => [
    ...new Set(calls.filter(isMeant).map(nameOf)),
  ];
  const costs = ways.map(({ costMicros }) => costMicros);
  const tokens = ways.map((way) => way.tokens);
  return {
    minCostMicros: Math.min(...costs),
    maxCostMicros: Math.max(...costs),
    minTokens: Math.min(...tokens),
    maxTokens: Math.max(...tokens),
    unpriced: namesOf(
      ({ reserve }) => reserve?.costMicros === null,
      ({ reserve }) => reserve?.model ?? "",
    ),
    unsized: namesOf(
      ({ reserve }) => reserve?.isSized === false,
      ({ id }) => id,
    ),
    uncounted: namesOf(
      ({ type, reserve }) => UNCOUNTED.has(type) && reserve === null,
      ({ id }) => id,
    ),
  };
}

const UNCOUNTED: ReadonlySet<string> = new Set(["ai", "subflow", "graph"]);

/** What calls reserve together. */
export function sumOf(calls: readonly PlayedCall[]): { readonly costMicros: number; readonly tokens: number } {
  let costMicros = 0;
  let tokens = 0;
  for (const { reserve } of calls) {
    costMicros += reserve?.costMicros ?? 0;
    tokens += reserve?.tokens ?? 0;
  }
  return { costMicros, tokens };
}
