/**
 * A dry run: every way that a run of a flow can take, without calling anything. Where a result is not known and
 * decides, all alternatives are followed, within bounds; the report says where that was.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { refuseField } from "../../base/field-error.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { checkInput, runTimeoutMs } from "../../flows/input.ts";
import type { Plan } from "../../flows/plan.ts";
import { Choices } from "./choices.ts";
import { type Mock, type PlayedCall, play, type Way } from "./play.ts";
import { readConstants, type Target, targetOf } from "./targets.ts";

/** Most ways that are followed. */
const MAX_WAYS = 100;
/** Most events, and steps of expressions, of all ways together. */
const MAX_EVENTS = 20_000;
const MAX_STEPS = 30_000_000;

export interface DryRunRequest {
  readonly plan: Plan;
  /** The document of the flow. */
  readonly document: JsonObject;
  readonly input: JsonObject;
  /** Results by the ids of tasks. */
  readonly mocks: ReadonlyMap<string, Mock>;
  /** When the run would start, milliseconds. */
  readonly now: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a task does on the ways. */
export interface DryTask {
  readonly id: string;
  readonly type: string;
  /** On how many ways it is called, or would be if it called something. */
  readonly ways: number;
  /** Most calls of it on one way: attempts, children, and visits. */
  readonly mostCalls: number;
}

export interface DryRunReport {
  readonly ways: readonly Way[];
  /** There are more. */
  readonly isCut: boolean;
  /** Tasks that are called on some way, in the order of their first call. */
  readonly tasks: readonly DryTask[];
  /** Ids of tasks that begin on no way. */
  readonly unreached: readonly string[];
  readonly targets: readonly Target[];
}

/** Plays a flow. Errors: FLOW_INPUT_INVALID, that of a computed variable, INVALID_REQUEST for a stray result. */
export async function dryRun({ plan, document, input, mocks, now, signal }: DryRunRequest): Promise<DryRunReport> {
  const vars = checkInput(plan, input, now);
  const timeoutMs = runTimeoutMs(plan, vars, now);
  const deadlineAt = timeoutMs === null ? null : now + timeoutMs;
  const constants = readConstants(document);
  const stranger = [...mocks.keys()].find((id) => !constants.has(id) && plan.kind !== "graph");
  if (stranger !== undefined) refuseField(`results.${stranger}`, "the flow has no such task");
  const constantsOf = (id: string): JsonObject => constants.get(id) ?? {};
  const bounds = { events: MAX_EVENTS, steps: MAX_STEPS };
  const mockOf = (id: string): Mock | undefined => mocks.get(id);
  const parts = { plan, vars, now, deadlineAt, constantsOf, mockOf, bounds, signal };
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
  const targets = calls.flat().flatMap((call) => targetOf(call) ?? []);
  return {
    ways,
    isCut: script !== null,
    tasks: tasksOf(calls),
    unreached: idsOf(plan).filter((id) => ways.every(({ reached }) => !reached.has(id))),
    targets: [...new Map(targets.map((target) => [`${target.kind} ${target.name}`, target])).values()],
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
