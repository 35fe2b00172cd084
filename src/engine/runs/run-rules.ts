/** The pure part of the run kind: the machine, adapted to the shard runtime. */
import type { Json } from "../../base/json/json.ts";
import { measureJson } from "../../base/json/json-size.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { RunEvent } from "../machine/events.ts";
import { canRest, openRun } from "../machine/run.ts";
import { advance } from "../machine/settle.ts";
import { createState, isTerminalPhase } from "../machine/state.ts";
import type { Rules } from "../shard/kind.ts";
import type { RunTypes } from "./run-resident.ts";

export const RUN_RULES: Rules<RunTypes> = {
  advance,
  reset: ({ state, plan }) => openRun(createState(state.runId), plan),
  sequenceOf: ({ state }) => state.sequence,
  nextDueAt,
  hasEnded: ({ state }) => isTerminalPhase(state.phase),
  isUnsettled: ({ unsettled }) => unsettled,
  setUnsettled: (run, unsettled) => {
    run.unsettled = unsettled;
  },
  canRest,
  hasProgressed: ({ state }) => state.recoveries === 0,
  // The parent of a child run waits for it.
  mustStart: ({ state }) => state.facts.parent !== null,
  canHold: ({ state: { phase } }) => phase === "RUNNING" || phase === "QUEUED",
  sizeOf: (event, most) => {
    const value = valueIn(event);
    return value === null ? 0 : Math.min(measureJson(value, most), most);
  },
  momentOf: (event) => ("task" in event ? `${event.type}:${event.task}` : event.type),
};

/** The part of an event that can be large. A start is alone in its transition, or first in it. */
function valueIn(event: RunEvent): Json {
  switch (event.type) {
    case "reported":
      return event.outcome.ok ? event.outcome.output : (event.outcome.suspended?.value ?? null);
    case "signal":
      return event.payload;
    case "decided":
      return event.data;
    case "child":
      return event.end.output;
    default:
      return null;
  }
}
