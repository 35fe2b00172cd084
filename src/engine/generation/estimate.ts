/** What a run of a draft would do, before anybody has approved it: nothing is called. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { GoodDraft } from "../../flows/drafts/check-draft.ts";
import { listReaches } from "../../flows/drafts/reach.ts";
import type { Variable } from "../../flows/plan.ts";
import type { DryRuns } from "../ports/dry-run/dry-runs.ts";
import type { DraftEstimate } from "../ports/generation/generations.ts";

/** Values of variables that must be set. */
const SAMPLES = {
  string: "",
  number: 0,
  integer: 0,
  boolean: false,
  array: [],
  object: {},
  any: null,
} as const satisfies Record<Variable["type"], Json>;

/** Null: its variables need values that nobody knows here. */
export async function estimateDraft(
  dryRuns: DryRuns,
  tenantId: string,
  { plan, document }: GoodDraft,
  signal: AbortSignal,
): Promise<DraftEstimate | null> {
  const input: JsonObject = Object.fromEntries(
    plan.variables.flatMap(({ name, type, required, default: value, enum: values }) =>
      required && value === undefined ? [[name, values?.[0] ?? SAMPLES[type]]] : [],
    ),
  );
  try {
    const order = { flow: { document }, input, mocks: new Map() };
    const { ways, isCut, estimate } = await dryRuns.dryRun(tenantId, order, signal);
    const mostCalls = Math.max(0, ...ways.map(({ calls }) => calls.length));
    return { reaches: listReaches(document), ways: ways.length, isCut, mostCalls, models: estimate };
  } catch (error) {
    if (isOrchestratorError(error) && error.retry === "no") return null;
    throw error;
  }
}
