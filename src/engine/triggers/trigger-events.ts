/**
 * Applies events: filter, then start or signal.
 *
 *   event ─ filter ─┬─ start           the run id is derived from trigger and event: a repetition finds the run, or its
 *                   │                  tombstone
 *                   ├─ start with key  the request id is derived from them: a repetition finds the run that answered it
 *                   └─ signal          the same, and the run takes each signal once
 *
 * Errors that pass are thrown, and the event is applied again by its sender or its reader. All others are an outcome,
 * unless the event came before and started a run then: a repetition is answered as the first time, although the flow,
 * its variables, or the trigger may be others now.
 */
import { createHash } from "node:crypto";
import { isOrchestratorError, type OrchestratorError } from "../../base/errors.ts";
import { TRIGGER_REQUESTS } from "../../base/ids.ts";
import { checkJson } from "../../base/json/json-parse.ts";
import { TRIGGER_LABEL } from "../../base/labels.ts";
import type { Log } from "../../base/log.ts";
import type { TriggerEvent, TriggeredSignal, TriggeredStart } from "../../flows/triggers/compile-trigger.ts";
import type { BusCommands } from "../ports/bus/commands.ts";
import type { RunCalls, RunKeys } from "../ports/bus/run-keys.ts";
import type { AppliedEvent, KnownTrigger, TriggerEvents, TriggerOutcome } from "../ports/bus/triggers.ts";
import type { CountedEvent, EventCounts } from "./event-counts.ts";
import type { KnownTriggers } from "./known-triggers.ts";

/** Attempts to find an open run with the key, when the one found ends before it is signaled. */
const MAX_TRIES = 5;

/** Hexadecimal digits of the hash in run ids: 128 bits. */
const HASH_LENGTH = 32;

/** Longest correlation id, characters. */
const MAX_CORRELATION_ID = 128;

export interface TriggerEventsParts {
  readonly known: KnownTriggers;
  readonly commands: Pick<BusCommands, "start">;
  readonly runKeys: RunKeys;
  readonly calls: RunCalls;
  readonly counts: Pick<EventCounts, "add">;
  /** Largest input of a run, bytes. */
  readonly maxInputBytes: number;
  readonly now: () => number;
  readonly log: Log;
}

export function createTriggerEvents(parts: TriggerEventsParts): TriggerEvents {
  const { known, counts, now, log } = parts;
  return {
    find: (tenantId, triggerId) => known.find(tenantId, triggerId),
    list: () => known.all,
    onChange: (listener) => known.onChange(listener),
    async apply(trigger, event, ownerDied = () => {}) {
      const now = await applyOnce(trigger, event, ownerDied);
      const first = now.outcome === "failed" ? await findStarted(parts, trigger, event) : null;
      const applied: AppliedEvent = first === null ? now : { outcome: "duplicate", runId: first, problem: "" };
      const { outcome, runId, problem } = applied;
      count(trigger, { outcome, eventId: event.id, runId, problem });
      return applied;
    },
    count: (trigger, outcome, eventId, problem) => count(trigger, { outcome, eventId, runId: "", problem }),
  };

  function count(trigger: KnownTrigger, event: CountedEvent): void {
    counts.add(trigger, event);
    const { outcome, eventId, problem } = event;
    if (outcome === "failed")
      log.warn("an event could not be applied", { trigger: trigger.triggerId, event: eventId, problem });
  }

  function applyOnce(trigger: KnownTrigger, event: TriggerEvent, ownerDied: () => void): Promise<AppliedEvent> {
    const { pause, compiled } = trigger;
    if (pause !== null) return Promise.resolve(without("paused"));
    if (compiled === null) return Promise.resolve(without("failed", "the service cannot use the definition"));
    let wanted: TriggeredStart | TriggeredSignal | null;
    try {
      wanted = compiled.evaluate(event, now());
    } catch (error) {
      if (!isOrchestratorError(error)) throw error;
      return Promise.resolve(without("failed", `${error.code}: ${error.message}`));
    }
    if (wanted === null) return Promise.resolve(without("filtered"));
    if (wanted.type === "signal") return signal(parts, trigger, event, wanted, ownerDied);
    const begin = wanted.runKey === "" ? start : startKeyed;
    return begin(parts, trigger, event, wanted, ownerDied);
  }
}

/** The id of a run without a key is derived from its event. */
async function start(
  { commands, maxInputBytes: maxBytes }: TriggerEventsParts,
  trigger: KnownTrigger,
  event: TriggerEvent,
  wanted: TriggeredStart,
  ownerDied: () => void,
): Promise<AppliedEvent> {
  const runId = runIdOf(trigger, event);
  const start = toStart(trigger, event, wanted);
  try {
    checkJson(wanted.input, { field: "input_json", maxBytes });
    const full = { ...start, runId, context: null, refusal: null, actor: actorOf(trigger) };
    await commands.start(trigger.tenantId, full, ownerDied);
    return { outcome: "accepted", runId, problem: "" };
  } catch (error) {
    const final = finalOf(error);
    return final.code === "RUN_ALREADY_EXISTS" ? { outcome: "duplicate", runId, problem: "" } : failed(final);
  }
}

/** The run that the event started when it came before, which may be deleted by now; null: there is none. */
async function findStarted(
  { runKeys }: TriggerEventsParts,
  trigger: KnownTrigger,
  event: TriggerEvent,
): Promise<string | null> {
  const { tenantId, compiled } = trigger;
  const runId = runIdOf(trigger, event);
  if (await runKeys.isTaken(tenantId, runId)) return runId;
  // The request of a signal names a run before the run is signaled.
  return compiled?.document.signal === undefined ? runKeys.findRun(tenantId, requestIdOf(trigger, event)) : null;
}

/** A start with a key may be answered with another run, or end one that another instance has. */
async function startKeyed(
  { runKeys, calls }: TriggerEventsParts,
  trigger: KnownTrigger,
  event: TriggerEvent,
  wanted: TriggeredStart,
  ownerDied: () => void,
): Promise<AppliedEvent> {
  const { tenantId } = trigger;
  const { runKey, runKeyPolicy } = wanted;
  const requestId = requestIdOf(trigger, event);
  const known = await runKeys.findRun(tenantId, requestId);
  if (known !== null) return { outcome: "duplicate", runId: known, problem: "" };
  const start = { ...toStart(trigger, event, wanted), runKey, runKeyPolicy, requestId };
  try {
    return { outcome: "accepted", runId: await calls.start(tenantId, actorOf(trigger), start, ownerDied), problem: "" };
  } catch (error) {
    const final = finalOf(error);
    if (final.code === "RUN_KEY_OPEN")
      return { outcome: "key_open", runId: String(final.details["runId"]), problem: "" };
    // The trigger has changed since the event first arrived.
    const first = final.code === "REQUEST_ID_REUSED" ? await runKeys.findRun(tenantId, requestId) : null;
    return first === null ? failed(final) : { outcome: "duplicate", runId: first, problem: "" };
  }
}

function toStart({ triggerId, flowId }: KnownTrigger, event: TriggerEvent, wanted: TriggeredStart) {
  const { version, input, labels, correlationId, userId } = wanted;
  return {
    ...{ flowId, version, input, userId },
    ...(event.hops === undefined ? {} : { hops: event.hops }),
    ...(event.trace === undefined ? {} : { trace: event.trace }),
    correlationId: correlationId || event.id.slice(0, MAX_CORRELATION_ID),
    labels: { ...labels, [TRIGGER_LABEL]: triggerId },
  };
}

async function signal(
  { runKeys, calls }: TriggerEventsParts,
  trigger: KnownTrigger,
  event: TriggerEvent,
  { runKey, name, payload }: TriggeredSignal,
  ownerDied: () => void,
): Promise<AppliedEvent> {
  const { tenantId, flowId } = trigger;
  const requestId = requestIdOf(trigger, event);
  for (let tries = 1; ; tries += 1) {
    const claimed = await runKeys.claimRun(tenantId, flowId, runKey, requestId);
    if (claimed === null) return without("unmatched");
    const { runId, isNew } = claimed;
    try {
      await calls.signal(tenantId, actorOf(trigger), { runId, name, payload, requestId }, ownerDied);
      return { outcome: isNew ? "accepted" : "duplicate", runId, problem: "" };
    } catch (error) {
      const final = finalOf(error);
      const isOver = ["RUN_FINISHED", "RUN_DELETED", "RUN_NOT_FOUND"].includes(final.code);
      // The run took the signal before it ended, or the trigger has changed since the event first arrived.
      if (!isNew && (isOver || final.code === "REQUEST_ID_REUSED")) return { outcome: "duplicate", runId, problem: "" };
      await runKeys.releaseRun(tenantId, requestId, runId);
      if (!isOver || tries === MAX_TRIES) return failed(final);
    }
  }
}

/** Throws an error that may be temporary. */
function finalOf(error: unknown): OrchestratorError {
  if (isOrchestratorError(error) && error.retry === "no" && error.code !== "INTERNAL") return error;
  throw error;
}

function failed({ code, message }: OrchestratorError): AppliedEvent {
  return without("failed", `${code}: ${message}`);
}

function without(outcome: TriggerOutcome, problem = ""): AppliedEvent {
  return { outcome, runId: "", problem };
}

/** The name under which a trigger acts. */
function actorOf({ triggerId }: KnownTrigger): string {
  return `trigger ${triggerId}`;
}

function runIdOf(trigger: KnownTrigger, event: TriggerEvent): string {
  return `${trigger.triggerId}-${hashOf(trigger, event)}`;
}

/** Requests of callers may look like it, and then collide with nothing but the events of their own tenant. */
function requestIdOf(trigger: KnownTrigger, event: TriggerEvent): string {
  return `${TRIGGER_REQUESTS}${hashOf(trigger, event)}`;
}

function hashOf({ tenantId, triggerId }: KnownTrigger, { id }: TriggerEvent): string {
  return createHash("sha256")
    .update(JSON.stringify([tenantId, triggerId, id]))
    .digest("hex")
    .slice(0, HASH_LENGTH);
}
