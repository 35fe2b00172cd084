/**
 * A dry run: every way that a run of a flow can take, without calling anything. Where a result is not known and
 * decides, all alternatives are followed, within bounds; the report says where that was.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { refuseField } from "../../base/field-error.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { checkInput, runTimeoutMs } from "../../flows/input.ts";
import type { Plan } from "../../flows/plan.ts";
import type { DryRunOrder, DryRunReport, DryTask, Mock, PlayedCall, Way } from "../ports/dry-run/dry-runs.ts";
import type { ModelEstimates } from "../ports/models/estimates.ts";
import { Choices } from "./choices.ts";
import { toEstimate } from "./estimate.ts";
import { play } from "./play.ts";
import { readTaskTexts } from "./task-texts.ts";

/** Most ways that are followed. */
const MAX_WAYS = 100;
/** Most events, and steps of expressions, of all ways together. */
const MAX_EVENTS = 20_000;
const MAX_STEPS = 10_000_000;
/** Most bytes of the inputs that the report shows. */
const MAX_INPUT_BYTES = 1_048_576;

export interface DryRunRequest extends Pick<DryRunOrder, "input" | "mocks"> {
  readonly plan: Plan;
  /** The document of the flow. */
  readonly document: JsonObject;
  readonly estimates: ModelEstimates;
  /** When the run would start, milliseconds. */
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
}

/** Plays a flow. Errors: FLOW_INPUT_INVALID, that of a computed variable, INVALID_REQUEST for a stray result. */
export async function dryRun({
  plan,
  document,
  input,
  mocks,
  estimates,
  now,
  signal,
}: DryRunRequest): Promise<DryRunReport> {
  const vars = checkInput(plan, input, now);
  const timeoutMs = runTimeoutMs(plan, vars, now);
  const deadlineAt = timeoutMs === null ? null : now + timeoutMs;
  const texts = readTaskTexts(document);
  const stranger = [...mocks.keys()].find((id) => !texts.has(id) && plan.kind !== "graph");
  if (stranger !== undefined) refuseField(`results.${stranger}`, "the flow has no such task");
  const bounds = { events: MAX_EVENTS, steps: MAX_STEPS, inputBytes: MAX_INPUT_BYTES };
  const mockOf = (id: string): Mock | undefined => mocks.get(id);
  const parts = { plan, vars, now, deadlineAt, texts, estimates, mockOf, bounds, signal };
  const ways: Way[] = [];
  let script: readonly number[] | null = [];
  while (script !== null && ways.length < MAX_WAYS && bounds.events > 0 && bounds.steps > 0) {
    signal?.throwIfAborted();
    const choices: Choices = new Choices(script);
    ways.push(await play(parts, choices));
    script = choices.next();
    await nextTurn();
  }
  const calls = ways.map((way) => way.calls);
  const assumed = ways.flatMap(({ assumptions }) => assumptions);
  const targets = calls.flat().flatMap(({ target, fallbacks }) => [target ?? [], fallbacks].flat());
  return {
    flowId: plan.flowId,
    version: plan.version,
    ways,
    isCut: script !== null,
    tasks: tasksOf(calls),
    unreached: idsOf(plan).filter((id) => ways.every(({ reached }) => !reached.has(id))),
    targets: [...new Map(targets.map((target) => [`${target.kind} ${target.name}`, target])).values()],
    estimate: toEstimate(ways),
    assumptions: [...new Map(assumed.map((one) => [`${one.place} ${one.what}`, one])).values()],
  };
}

function tasksOf(calls: readonly (readonly PlayedCall[])[]): readonly DryTask[] {
  const found = new Map<string, { type: string; ways: number; mostCalls: number }>();
  for (const way of calls) {
    const counts = new Map<string, number>();
    for (const { id, type } of way) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
      if (!found.has(id)) found.set(id, { type, ways: 0, mostCalls: 0 });
    }
    for (const [id, count] of counts) {
      const task = found.get(id);
      if (task === undefined) continue;
      task.ways += 1;
      task.mostCalls = Math.max(task.mostCalls, count);
    }
  }
  return [...found].map(([id, task]) => ({ id, ...task }));
}

function idsOf(plan: Plan): readonly string[] {
  if (plan.kind === "dag") return plan.nodes.map(({ task }) => task.id);
  return plan.kind === "fsm" ? plan.states.map(({ id }) => id) : [plan.graph];
}
