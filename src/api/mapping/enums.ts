/**
 * Tables between enums of the contract and unions of the service. A missing value on either side does not compile: each
 * table is a record over the union, and {@link Complete} compares it with the names of the enum.
 */

import type {
  DeadLetterReason as DeadLetterReasonName,
  EndKind,
  HoldKind as HoldKindName,
  JournalRecord,
  SkipReason as SkipReasonName,
} from "../../engine/machine/records.ts";
import type { Approval, Phase, RunStateName, TaskStateName } from "../../engine/machine/state.ts";
import type { TriggerOutcome as TriggerOutcomeName } from "../../engine/ports/bus/triggers.ts";
import type { LimitSlotView } from "../../engine/ports/dispatch/limit-control.ts";
import type { RunKeyPolicy as RunKeyPolicyName } from "../../engine/ports/run-control.ts";
import type { Plan } from "../../flows/plan.ts";
import type { TriggerSource } from "../../flows/triggers/trigger-document.ts";
import { StoreKind } from "../../gen/orchestrator/info/v1/info_pb.ts";
import { ApprovalState } from "../../gen/orchestrator/v1/approval_pb.ts";
import { FlowKind, FlowVariableType } from "../../gen/orchestrator/v1/flow_pb.ts";
import { LimitSlotState } from "../../gen/orchestrator/v1/limit_pb.ts";
import { LogLevel, RunEventKind } from "../../gen/orchestrator/v1/run_event_pb.ts";
import {
  DeadLetterReason,
  HoldKind,
  RunPhase,
  RunState,
  SkipReason,
  TaskState,
} from "../../gen/orchestrator/v1/run_pb.ts";
import { RunKeyPolicy } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { TriggerOutcome, TriggerSourceKind } from "../../gen/orchestrator/v1/trigger_pb.ts";

/**
 * `true` if the table has every name of the enum except UNSPECIFIED, with the prefix of `Table`; otherwise a tuple that
 * does not compile.
 */
type Complete<Enum, Values> =
  Exclude<Enum[keyof Enum], 0> extends Values ? true : ["missing", Exclude<Enum[keyof Enum], 0 | Values>];

/** Public states of runs. */
export const RUN_STATE = {
  QUEUED: RunState.QUEUED,
  RUNNING: RunState.RUNNING,
  WAITING: RunState.WAITING,
  PAUSED: RunState.PAUSED,
  SUSPENDED: RunState.SUSPENDED,
  QUARANTINED: RunState.QUARANTINED,
  CANCELING: RunState.CANCELING,
  COMPENSATING: RunState.COMPENSATING,
  COMPLETED: RunState.COMPLETED,
  FAILED: RunState.FAILED,
  CANCELED: RunState.CANCELED,
  TERMINATED: RunState.TERMINATED,
  TIMED_OUT: RunState.TIMED_OUT,
} as const satisfies Record<RunStateName, RunState>;
true satisfies Complete<typeof RunState, (typeof RUN_STATE)[keyof typeof RUN_STATE]>;

/** Public states of runs by number. */
export const RUN_STATE_NAME: ReadonlyMap<number, RunStateName> = new Map(
  (Object.keys(RUN_STATE) as RunStateName[]).map((name) => [RUN_STATE[name], name]),
);

/** Phases of runs. */
export const RUN_PHASE = {
  QUEUED: RunPhase.QUEUED,
  RUNNING: RunPhase.RUNNING,
  CANCELING: RunPhase.CANCELING,
  COMPENSATING: RunPhase.COMPENSATING,
  COMPLETED: RunPhase.COMPLETED,
  FAILED: RunPhase.FAILED,
  CANCELED: RunPhase.CANCELED,
  TERMINATED: RunPhase.TERMINATED,
  TIMED_OUT: RunPhase.TIMED_OUT,
} as const satisfies Record<Phase, RunPhase>;
true satisfies Complete<typeof RunPhase, (typeof RUN_PHASE)[keyof typeof RUN_PHASE]>;

/** Phases in which runs end, by kind of end. */
export const END_PHASE = {
  completed: RunPhase.COMPLETED,
  failed: RunPhase.FAILED,
  canceled: RunPhase.CANCELED,
  timed_out: RunPhase.TIMED_OUT,
  terminated: RunPhase.TERMINATED,
} as const satisfies Record<EndKind, RunPhase>;

/** States of tasks. */
export const TASK_STATE = {
  PENDING: TaskState.PENDING,
  SCHEDULED: TaskState.SCHEDULED,
  RUNNING: TaskState.RUNNING,
  RETRYING: TaskState.RETRYING,
  WAITING: TaskState.WAITING,
  COMPLETED: TaskState.COMPLETED,
  FAILED: TaskState.FAILED,
  SKIPPED: TaskState.SKIPPED,
  CANCELED: TaskState.CANCELED,
  TIMED_OUT: TaskState.TIMED_OUT,
  COMPENSATED: TaskState.COMPENSATED,
} as const satisfies Record<TaskStateName, TaskState>;
true satisfies Complete<typeof TaskState, (typeof TASK_STATE)[keyof typeof TASK_STATE]>;

/** Why tasks are skipped. */
export const SKIP_REASON = {
  NOT_TAKEN: SkipReason.NOT_TAKEN,
  UPSTREAM_FAILED: SkipReason.UPSTREAM_FAILED,
} as const satisfies Record<SkipReasonName, SkipReason>;
true satisfies Complete<typeof SkipReason, (typeof SKIP_REASON)[keyof typeof SKIP_REASON]>;

/** Why tasks are dead letters. */
export const DEAD_LETTER_REASON = {
  ATTEMPTS_EXHAUSTED: DeadLetterReason.ATTEMPTS_EXHAUSTED,
  NOT_RETRYABLE: DeadLetterReason.NOT_RETRYABLE,
  DEFERRED_TOO_LONG: DeadLetterReason.DEFERRED_TOO_LONG,
  OUT_OF_TIME: DeadLetterReason.OUT_OF_TIME,
} as const satisfies Record<DeadLetterReasonName, DeadLetterReason>;
true satisfies Complete<typeof DeadLetterReason, (typeof DEAD_LETTER_REASON)[keyof typeof DEAD_LETTER_REASON]>;

/** Kinds of holds. */
export const HOLD_KIND = {
  operator: HoldKind.OPERATOR,
  budget: HoldKind.BUDGET,
  limit: HoldKind.LIMIT,
  quarantine: HoldKind.QUARANTINE,
  parent: HoldKind.PARENT,
} as const satisfies Record<HoldKindName, HoldKind>;
true satisfies Complete<typeof HoldKind, (typeof HOLD_KIND)[keyof typeof HOLD_KIND]>;

/** Kinds of holds by number. Validation guarantees that the number is known. */
export const HOLD_KIND_NAME: ReadonlyMap<number, HoldKindName> = new Map(
  (Object.keys(HOLD_KIND) as HoldKindName[]).map((name) => [HOLD_KIND[name], name]),
);

/** Policies for run keys by number; unspecified means reject. */
export const RUN_KEY_POLICY_NAME = {
  [RunKeyPolicy.UNSPECIFIED]: "reject",
  [RunKeyPolicy.REJECT]: "reject",
  [RunKeyPolicy.RETURN_EXISTING]: "return_existing",
  [RunKeyPolicy.TERMINATE_AND_START]: "terminate_and_start",
} as const satisfies Record<(typeof RunKeyPolicy)[keyof typeof RunKeyPolicy], RunKeyPolicyName>;

/** Policies for run keys by name. */
export const RUN_KEY_POLICY = {
  reject: RunKeyPolicy.REJECT,
  return_existing: RunKeyPolicy.RETURN_EXISTING,
  terminate_and_start: RunKeyPolicy.TERMINATE_AND_START,
} as const satisfies Record<RunKeyPolicyName, RunKeyPolicy>;

/** Outcomes of events of triggers. */
export const TRIGGER_OUTCOME = {
  accepted: TriggerOutcome.ACCEPTED,
  duplicate: TriggerOutcome.DUPLICATE,
  filtered: TriggerOutcome.FILTERED,
  unmatched: TriggerOutcome.UNMATCHED,
  key_open: TriggerOutcome.KEY_OPEN,
  paused: TriggerOutcome.PAUSED,
  unsigned: TriggerOutcome.UNSIGNED,
  failed: TriggerOutcome.FAILED,
} as const satisfies Record<TriggerOutcomeName, TriggerOutcome>;

/** Sources of triggers. */
export const TRIGGER_SOURCE_KIND = {
  webhook: TriggerSourceKind.WEBHOOK,
  kafka: TriggerSourceKind.KAFKA,
  redis: TriggerSourceKind.REDIS,
} as const satisfies Record<TriggerSource["type"], TriggerSourceKind>;

/** States of approvals. */
export const APPROVAL_STATE = {
  PENDING: ApprovalState.PENDING,
  APPROVED: ApprovalState.APPROVED,
  REJECTED: ApprovalState.REJECTED,
  EXPIRED: ApprovalState.EXPIRED,
  CANCELED: ApprovalState.CANCELED,
} as const satisfies Record<Approval["state"], ApprovalState>;
true satisfies Complete<typeof ApprovalState, (typeof APPROVAL_STATE)[keyof typeof APPROVAL_STATE]>;

/** Kinds of flow definitions. */
export const FLOW_KIND = {
  dag: FlowKind.TASKS,
  fsm: FlowKind.STATES,
  graph: FlowKind.GRAPH,
} as const satisfies Record<Plan["kind"], FlowKind>;
true satisfies Complete<typeof FlowKind, (typeof FLOW_KIND)[keyof typeof FLOW_KIND]>;

/** Kinds of events by type of record. */
export const EVENT_KIND = {
  "run.started": RunEventKind.RUN_STARTED,
  "run.limited": RunEventKind.RUN_LIMITED,
  "run.opened": RunEventKind.RUN_OPENED,
  "run.completed": RunEventKind.RUN_COMPLETED,
  "run.failed": RunEventKind.RUN_FAILED,
  "run.canceled": RunEventKind.RUN_CANCELED,
  "run.timed_out": RunEventKind.RUN_TIMED_OUT,
  "run.terminated": RunEventKind.RUN_TERMINATED,
  "run.ending": RunEventKind.RUN_ENDING,
  "run.compensating": RunEventKind.RUN_COMPENSATING,
  "run.held": RunEventKind.RUN_HELD,
  "run.released": RunEventKind.RUN_RELEASED,
  "run.recovered": RunEventKind.RUN_RECOVERED,
  "run.budget_warned": RunEventKind.RUN_BUDGET_WARNED,
  "run.restored": RunEventKind.RUN_RESTORED,
  "task.dispatched": RunEventKind.TASK_DISPATCHED,
  "task.scheduled": RunEventKind.TASK_SCHEDULED,
  "task.limited": RunEventKind.TASK_LIMITED,
  "task.started": RunEventKind.TASK_STARTED,
  "task.returned": RunEventKind.TASK_RETURNED,
  "task.checkpointed": RunEventKind.TASK_CHECKPOINTED,
  "task.detached": RunEventKind.TASK_DETACHED,
  "task.waiting": RunEventKind.TASK_WAITING,
  "task.expanded": RunEventKind.TASK_EXPANDED,
  "task.completed": RunEventKind.TASK_COMPLETED,
  "task.retrying": RunEventKind.TASK_RETRYING,
  "task.suspended": RunEventKind.TASK_SUSPENDED,
  "task.failed": RunEventKind.TASK_FAILED,
  "task.skipped": RunEventKind.TASK_SKIPPED,
  "task.canceled": RunEventKind.TASK_CANCELED,
  "task.compensated": RunEventKind.TASK_COMPENSATED,
  "signal.received": RunEventKind.SIGNAL_RECEIVED,
  "request.applied": RunEventKind.REQUEST_APPLIED,
  "signal.consumed": RunEventKind.SIGNAL_CONSUMED,
  "signal.guard_failed": RunEventKind.SIGNAL_GUARD_FAILED,
  "state.entered": RunEventKind.STATE_ENTERED,
  "state.armed": RunEventKind.STATE_ARMED,
  "state.settled": RunEventKind.STATE_SETTLED,
  "approval.ended": RunEventKind.APPROVAL_ENDED,
} as const satisfies Record<JournalRecord["type"], RunEventKind>;
true satisfies Complete<typeof RunEventKind, (typeof EVENT_KIND)[keyof typeof EVENT_KIND]>;

/** Types of variables. */
export const VARIABLE_TYPE = {
  any: FlowVariableType.ANY,
  string: FlowVariableType.STRING,
  integer: FlowVariableType.INTEGER,
  number: FlowVariableType.NUMBER,
  boolean: FlowVariableType.BOOLEAN,
  array: FlowVariableType.ARRAY,
  object: FlowVariableType.OBJECT,
} as const satisfies Record<Plan["variables"][number]["type"], FlowVariableType>;
true satisfies Complete<typeof FlowVariableType, (typeof VARIABLE_TYPE)[keyof typeof VARIABLE_TYPE]>;

/** Kinds of the store. */
export const STORE_KIND = { embedded: StoreKind.EMBEDDED, external: StoreKind.EXTERNAL } as const;
true satisfies Complete<typeof StoreKind, (typeof STORE_KIND)[keyof typeof STORE_KIND]>;

/** Levels of log lines of attempts. */
export const LOG_LEVEL = {
  DEBUG: LogLevel.DEBUG,
  INFO: LogLevel.INFO,
  WARN: LogLevel.WARN,
  ERROR: LogLevel.ERROR,
} as const;

/** Their names; the unspecified level has none. */
export const LEVEL_NAME: ReadonlyMap<LogLevel, keyof typeof LOG_LEVEL> = new Map(
  Object.entries(LOG_LEVEL).map(([name, level]) => [level, name as keyof typeof LOG_LEVEL]),
);

/** What tasks have of their limits. */
export const LIMIT_SLOT_STATE = {
  waiting: LimitSlotState.WAITING,
  granted: LimitSlotState.GRANTED,
  taken: LimitSlotState.TAKEN,
} as const satisfies Record<LimitSlotView["state"], LimitSlotState>;
true satisfies Complete<typeof LimitSlotState, (typeof LIMIT_SLOT_STATE)[keyof typeof LIMIT_SLOT_STATE]>;
