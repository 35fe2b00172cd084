/** What a run of a draft would do, before anybody has approved it: nothing is called. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { GoodDraft } from "../../flows/drafts/check-draft.ts";
import { pickGiven } from "../../flows/drafts/given.ts";
import { listReaches } from "../../flows/drafts/reach.ts";
import type { Plan, TaskSpec, Variable } from "../../flows/plan.ts";
import { listTasks } from "../../flows/planning/list-tasks.ts";
import { NO_RETRY } from "../../flows/planning/plan-task.ts";
import type { Assumption, DryRunReport, DryRuns } from "../ports/dry-run/dry-runs.ts";
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

/** Most assumptions that are kept. */
const MAX_ASSUMPTIONS = 100;
/** Longest text of one, characters. */
const MAX_TEXT = 500;

/** `given`: what a run of the draft is given; null: nobody knows. Returns null if it needs values that nobody knows. */
export async function estimateDraft(
  dryRuns: DryRuns,
  tenantId: string,
  { plan, document }: GoodDraft,
  { given, signal }: { readonly given: JsonObject | null; readonly signal: AbortSignal },
): Promise<DraftEstimate | null> {
  const samples = given === null ? samplesOf(plan) : [];
  const input = given === null ? Object.fromEntries(samples) : pickGiven(plan, given);
  try {
    const order = { flow: { document }, input, mocks: new Map() };
    const report = await dryRuns.dryRunForStep(tenantId, order, signal);
    const { ways, estimate } = report;
    const isCut = report.isCut || ways.some(({ end }) => end === "UNFINISHED");
    const sampled = samples.map(([name, value]) => ({ place: `vars.${name}`, what: `it is ${JSON.stringify(value)}` }));
    const assumptions = [...sampled, ...report.assumptions, ...assumedOfFailures(plan, report)];
    return {
      ...{ reaches: listReaches(document), ways: ways.length, isCut, models: estimate },
      mostCalls: Math.max(0, ...ways.map(({ calls }) => calls.length)),
      isLowerBound: isCut || assumptions.length > 0,
      assumptions: assumptions
        .slice(0, MAX_ASSUMPTIONS)
        .map(({ place, what }) => ({ place, what: what.slice(0, MAX_TEXT) })),
    };
  } catch (error) {
    if (isOrchestratorError(error) && error.retry === "no") return null;
    throw error;
  }
}

/** A value for each variable that has to be set. */
function samplesOf({ variables }: Plan): readonly (readonly [string, Json])[] {
  return variables.flatMap(({ name, type, required, default: value, enum: values }) =>
    required && value === undefined ? [[name, values?.[0] ?? SAMPLES[type]] as const] : [],
  );
}

/** Calls of a dry run succeed. One that fails may be made again, and others may follow it. */
function assumedOfFailures(plan: Plan, { tasks }: DryRunReport): readonly Assumption[] {
  const called = new Set(tasks.map(({ id }) => id));
  const retried = listTasks(plan).flatMap((task) => {
    const more = moreAttempts(task);
    return called.has(task.id) && more !== null
      ? [{ place: task.id, what: `its first attempt succeeds; ${more} may follow` }]
      : [];
  });
  const handled = called.size === 0 ? [] : handlersOf(plan);
  return [...retried, ...handled.map((id) => ({ place: id, what: "no failure leads to it" }))];
}

/** How many attempts may follow the first; null: none. Settings decide for `queue` tasks that say nothing. */
function moreAttempts({ type, retry }: TaskSpec): string | null {
  if (retry === NO_RETRY) return type === "queue" ? "others" : null;
  return retry.maxRetries > 0 ? `${retry.maxRetries} more` : null;
}

/** Ids of the compensations, and of the states that go on after a failure. */
function handlersOf(plan: Plan): readonly string[] {
  if (plan.kind === "graph") return [];
  if (plan.kind === "dag") return plan.nodes.flatMap(({ task, isCompensation }) => (isCompensation ? [task.id] : []));
  const targets = plan.states.flatMap(({ onError }) => onError.flatMap(({ to }) => plan.states[to] ?? []));
  const goingOn = targets.filter(({ final }) => final === null).map(({ id }) => id);
  return [...new Set([...plan.compensations.map(({ id }) => id), ...goingOn])];
}
