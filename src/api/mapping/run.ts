/** Converts runs to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import { rootOf } from "../../base/ids.ts";
import type { Json } from "../../base/json/json.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { Cause, RunError } from "../../engine/machine/records.ts";
import type { GuardFailure, Hold, RunState, TaskStateName } from "../../engine/machine/state.ts";
import { isTerminalPhase, publicState } from "../../engine/machine/state.ts";
import type { RunHeader } from "../../engine/ports/run-index.ts";
import type { Run, RunSummary } from "../../gen/orchestrator/v1/run_pb.ts";
import {
  HoldSchema,
  RunCauseSchema,
  RunErrorSchema,
  RunSummarySchema,
  UnreadSignalsSchema,
} from "../../gen/orchestrator/v1/run_pb.ts";
import { END_PHASE, HOLD_KIND, RUN_PHASE, RUN_STATE, RUN_STATE_NAME } from "./enums.ts";
import type { PayloadRoom } from "./payload.ts";
import { encodeJson, fromValue, toObjectPayload, toRef, toValuePayload } from "./payload.ts";
import type { PlanIndex } from "./plan-index.ts";
import type { ReadMask } from "./read-mask.ts";
import { fromTimestamp, toTimestamp } from "./time.ts";

/** Fields that responses without a mask leave out where the contract says "without payloads". */
export const RUN_PAYLOADS = [
  "input",
  "input_json",
  "input_ref",
  "output",
  "output_json",
  "output_ref",
  "execution_context_json",
];

const COUNT_FIELD = {
  PENDING: "pending",
  SCHEDULED: "scheduled",
  RUNNING: "running",
  RETRYING: "retrying",
  WAITING: "waiting",
  COMPLETED: "completed",
  FAILED: "failed",
  SKIPPED: "skipped",
  CANCELED: "canceled",
  TIMED_OUT: "timedOut",
  COMPENSATED: "compensated",
} as const satisfies Record<TaskStateName, string>;

const NO_PAYLOAD = { case: undefined } as const;
const NO_BYTES = new Uint8Array();

const NO_COUNTS = {
  pending: 0,
  scheduled: 0,
  running: 0,
  retrying: 0,
  waiting: 0,
  completed: 0,
  failed: 0,
  skipped: 0,
  canceled: 0,
  timedOut: 0,
  compensated: 0,
};

/** Converts a run. If its plan is not available, `index` is null and tasks that have not started are not counted. */
export function toRun(state: RunState, index: PlanIndex | null, mask: ReadMask, room: PayloadRoom): Run {
  const { facts } = state;
  // A literal, because `create` costs as much as all the rest, and every start and read comes through here.
  const run: Run = {
    $typeName: "orchestrator.v1.Run",
    runId: state.runId,
    flowId: state.flowId,
    version: state.version,
    flowHash: state.hash,
    tenantId: state.tenantId,
    state: RUN_STATE[publicState(state)],
    phase: RUN_PHASE[state.phase],
    holds: state.holds.length === 0 ? [] : state.holds.map(toHold),
    inputValue: NO_PAYLOAD,
    outputValue: NO_PAYLOAD,
    labels: facts.labels as Record<string, string>,
    runKey: facts.runKey,
    userId: facts.userId,
    correlationId: facts.correlationId,
    executionContextJson:
      facts.context === null || !mask.wants("execution_context_json") ? NO_BYTES : encodeJson(facts.context),
    sequence: state.sequence,
    generation: 0,
    unreadSignals: state.signals.length === 0 ? [] : countSignals(state),
    flowState: state.fsm?.state ?? "",
    parentRunId: facts.parent?.runId ?? "",
    parentTaskId: facts.parent?.task ?? "",
    rootRunId: rootOf(state.runId),
  };
  if (state.cause !== null) run.cause = toCause(state.cause, state.causeAt);
  if (state.error !== null) run.error = toRunError(state.error);
  if (mask.wants("task_counts")) run.taskCounts = countTasks(state, index);
  setPayloads(run, state, mask, room);
  setTimes(run, state, mask);
  mask.prune(run);
  return run;
}

/** Converts the header of a run for lists. */
export function headerToSummary(header: RunHeader): RunSummary {
  const run = create(RunSummarySchema, {
    runId: header.runId,
    flowId: header.flowId,
    version: header.version,
    flowHash: header.flowHash,
    tenantId: header.tenantId,
    state: RUN_STATE[header.state],
    phase: phaseOf(header.state),
    runKey: header.runKey,
    userId: header.userId,
    correlationId: header.correlationId,
    updateTime: toTimestamp(header.updatedAt),
    sequence: header.sequence,
    parentRunId: header.parentRunId,
    rootRunId: rootOf(header.runId),
  });
  run.labels = header.labels as Record<string, string>;
  if (isValidTime(header.createdAt)) run.createTime = toTimestamp(header.createdAt);
  run.damage = header.damage ?? "";
  if (header.endedAt !== null) run.endTime = toTimestamp(header.endedAt);
  if (header.deadlineAt !== null) run.deadlineTime = toTimestamp(header.deadlineAt);
  return run;
}

/** Reverses {@link headerToSummary}; null if this version does not know the state of the run. */
export function summaryToHeader(run: RunSummary): RunHeader | null {
  const state = RUN_STATE_NAME.get(run.state);
  if (state === undefined) return null;
  const at = (time: Run["createTime"]): number | null => (time === undefined ? null : fromTimestamp(time));
  return {
    runId: run.runId,
    tenantId: run.tenantId,
    flowId: run.flowId,
    version: run.version,
    flowHash: run.flowHash,
    state,
    sequence: run.sequence,
    labels: run.labels,
    userId: run.userId,
    correlationId: run.correlationId,
    runKey: run.runKey,
    parentRunId: run.parentRunId,
    createdAt: at(run.createTime) ?? 0,
    updatedAt: at(run.updateTime) ?? 0,
    endedAt: at(run.endTime),
    deadlineAt: at(run.deadlineTime),
    ...(run.damage === "" ? {} : { damage: run.damage }),
  };
}

export function toRunError(error: RunError): NonNullable<Run["error"]> {
  return create(RunErrorSchema, { type: error.type, message: error.message, taskId: error.task ?? "" });
}

function toHold(hold: Hold): Run["holds"][number] {
  return create(HoldSchema, {
    kind: HOLD_KIND[hold.kind],
    actor: hold.by,
    reason: hold.why,
    sinceTime: toTimestamp(hold.since),
  });
}

function toCause(cause: Cause, at: number): NonNullable<Run["cause"]> {
  return create(RunCauseSchema, {
    outcome: END_PHASE[cause.end],
    reason: cause.reason,
    actor: cause.by,
    causeTime: toTimestamp(at),
    compensate: cause.compensate,
  });
}

/** The output goes first: if there is not enough space for both, it is what the caller lacks. */
function setPayloads(run: Run, state: RunState, mask: ReadMask, room: PayloadRoom): void {
  const outputForm = mask.formOf("output");
  if (outputForm !== "none" && state.output !== undefined) {
    const output = toValuePayload(state.output, outputForm, `${state.runId}/output`, room);
    if (output.case === "message") run.outputValue = { case: "output", value: output.value };
    else if (output.case === "json") run.outputValue = { case: "outputJson", value: output.value };
    else run.outputValue = { case: "outputRef", value: output.value };
  }
  const inputForm = mask.formOf("input");
  if (inputForm === "none") return;
  const input = toObjectPayload(state.vars, inputForm, `${state.runId}/input`, room);
  if (input.case === "message") run.inputValue = { case: "input", value: input.value as never };
  else if (input.case === "json") run.inputValue = { case: "inputJson", value: input.value };
  else run.inputValue = { case: "inputRef", value: input.value };
}

/** Replaces the payloads of a run, which must have its id, with references. */
export function toReferences(run: Run): void {
  const { inputValue: input, outputValue: output, runId } = run;
  if (output.case === "output" || output.case === "outputJson") {
    const json = output.case === "output" ? encodeJson(fromValue(output.value)) : output.value;
    run.outputValue = { case: "outputRef", value: toRef(`${runId}/output`, json) };
  }
  if (input.case === "input" || input.case === "inputJson") {
    const json = input.case === "input" ? encodeJson(input.value as Json) : input.value;
    run.inputValue = { case: "inputRef", value: toRef(`${runId}/input`, json) };
  }
}

function setTimes(run: Run, state: RunState, mask: ReadMask): void {
  const startAt = Math.max(state.createdAt, state.startAt ?? 0);
  const hasStarted = state.phase !== "QUEUED" && (state.tasks.size > 0 || !isTerminalPhase(state.phase));
  if (mask.wants("create_time")) run.createTime = toTimestamp(state.createdAt);
  if (mask.wants("scheduled_time")) run.scheduledTime = toTimestamp(startAt);
  if (hasStarted && mask.wants("start_time")) run.startTime = toTimestamp(startAt);
  if (mask.wants("update_time")) run.updateTime = toTimestamp(state.updatedAt);
  if (state.endedAt !== 0 && mask.wants("end_time")) run.endTime = toTimestamp(state.endedAt);
  if (state.deadlineAt !== null && mask.wants("deadline_time")) run.deadlineTime = toTimestamp(state.deadlineAt);
}

function countTasks(state: RunState, index: PlanIndex | null): NonNullable<Run["taskCounts"]> {
  const counts: NonNullable<Run["taskCounts"]> = { $typeName: "orchestrator.v1.TaskCounts", total: 0, ...NO_COUNTS };
  let begun = 0;
  for (const task of state.tasks.values()) {
    counts[COUNT_FIELD[task.state]] += 1;
    if (index?.tasks.get(task.path)?.expected === true) begun += 1;
  }
  // Tasks that have not started are not in the state; they are pending while the run is open.
  if (index !== null && !isTerminalPhase(state.phase)) counts.pending += index.expectedCount - begun;
  counts.total = state.tasks.size + (index === null || isTerminalPhase(state.phase) ? 0 : index.expectedCount - begun);
  return counts;
}

function countSignals(state: RunState): Run["unreadSignals"] {
  const unread = new Map<string, { count: number; failure: GuardFailure | undefined }>();
  for (const { id, name } of state.signals) {
    const entry = unread.get(name) ?? { count: 0, failure: undefined };
    entry.count += 1;
    entry.failure ??= state.guardFailures.get(id);
    unread.set(name, entry);
  }
  return [...unread].map(([signalName, { count, failure }]) => {
    if (failure === undefined) return create(UnreadSignalsSchema, { signalName, count });
    const guardError = toRunError({ ...failure.error, task: failure.states.at(-1) ?? "" });
    return create(UnreadSignalsSchema, { signalName, count, guardError });
  });
}

function phaseOf(state: RunHeader["state"]): Run["phase"] {
  switch (state) {
    case "WAITING":
    case "PAUSED":
    case "SUSPENDED":
    case "QUARANTINED":
      return RUN_PHASE.RUNNING;
    default:
      return RUN_PHASE[state];
  }
}
