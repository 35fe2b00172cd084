from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_QUEUED: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_WAITING: _ClassVar[RunState]
    RUN_STATE_PAUSED: _ClassVar[RunState]
    RUN_STATE_SUSPENDED: _ClassVar[RunState]
    RUN_STATE_QUARANTINED: _ClassVar[RunState]
    RUN_STATE_CANCELING: _ClassVar[RunState]
    RUN_STATE_COMPENSATING: _ClassVar[RunState]
    RUN_STATE_COMPLETED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELED: _ClassVar[RunState]
    RUN_STATE_TERMINATED: _ClassVar[RunState]
    RUN_STATE_TIMED_OUT: _ClassVar[RunState]

class RunPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_PHASE_UNSPECIFIED: _ClassVar[RunPhase]
    RUN_PHASE_QUEUED: _ClassVar[RunPhase]
    RUN_PHASE_RUNNING: _ClassVar[RunPhase]
    RUN_PHASE_CANCELING: _ClassVar[RunPhase]
    RUN_PHASE_COMPENSATING: _ClassVar[RunPhase]
    RUN_PHASE_COMPLETED: _ClassVar[RunPhase]
    RUN_PHASE_FAILED: _ClassVar[RunPhase]
    RUN_PHASE_CANCELED: _ClassVar[RunPhase]
    RUN_PHASE_TERMINATED: _ClassVar[RunPhase]
    RUN_PHASE_TIMED_OUT: _ClassVar[RunPhase]

class HoldKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLD_KIND_UNSPECIFIED: _ClassVar[HoldKind]
    HOLD_KIND_OPERATOR: _ClassVar[HoldKind]
    HOLD_KIND_BUDGET: _ClassVar[HoldKind]
    HOLD_KIND_LIMIT: _ClassVar[HoldKind]
    HOLD_KIND_QUARANTINE: _ClassVar[HoldKind]
    HOLD_KIND_PARENT: _ClassVar[HoldKind]

class DeadLetterReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEAD_LETTER_REASON_UNSPECIFIED: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_NOT_RETRYABLE: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_DEFERRED_TOO_LONG: _ClassVar[DeadLetterReason]
    DEAD_LETTER_REASON_OUT_OF_TIME: _ClassVar[DeadLetterReason]

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATE_UNSPECIFIED: _ClassVar[TaskState]
    TASK_STATE_PENDING: _ClassVar[TaskState]
    TASK_STATE_SCHEDULED: _ClassVar[TaskState]
    TASK_STATE_RUNNING: _ClassVar[TaskState]
    TASK_STATE_RETRYING: _ClassVar[TaskState]
    TASK_STATE_WAITING: _ClassVar[TaskState]
    TASK_STATE_COMPLETED: _ClassVar[TaskState]
    TASK_STATE_FAILED: _ClassVar[TaskState]
    TASK_STATE_SKIPPED: _ClassVar[TaskState]
    TASK_STATE_CANCELED: _ClassVar[TaskState]
    TASK_STATE_TIMED_OUT: _ClassVar[TaskState]
    TASK_STATE_COMPENSATED: _ClassVar[TaskState]

class SkipReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SKIP_REASON_UNSPECIFIED: _ClassVar[SkipReason]
    SKIP_REASON_NOT_TAKEN: _ClassVar[SkipReason]
    SKIP_REASON_UPSTREAM_FAILED: _ClassVar[SkipReason]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_QUEUED: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_WAITING: RunState
RUN_STATE_PAUSED: RunState
RUN_STATE_SUSPENDED: RunState
RUN_STATE_QUARANTINED: RunState
RUN_STATE_CANCELING: RunState
RUN_STATE_COMPENSATING: RunState
RUN_STATE_COMPLETED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELED: RunState
RUN_STATE_TERMINATED: RunState
RUN_STATE_TIMED_OUT: RunState
RUN_PHASE_UNSPECIFIED: RunPhase
RUN_PHASE_QUEUED: RunPhase
RUN_PHASE_RUNNING: RunPhase
RUN_PHASE_CANCELING: RunPhase
RUN_PHASE_COMPENSATING: RunPhase
RUN_PHASE_COMPLETED: RunPhase
RUN_PHASE_FAILED: RunPhase
RUN_PHASE_CANCELED: RunPhase
RUN_PHASE_TERMINATED: RunPhase
RUN_PHASE_TIMED_OUT: RunPhase
HOLD_KIND_UNSPECIFIED: HoldKind
HOLD_KIND_OPERATOR: HoldKind
HOLD_KIND_BUDGET: HoldKind
HOLD_KIND_LIMIT: HoldKind
HOLD_KIND_QUARANTINE: HoldKind
HOLD_KIND_PARENT: HoldKind
DEAD_LETTER_REASON_UNSPECIFIED: DeadLetterReason
DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED: DeadLetterReason
DEAD_LETTER_REASON_NOT_RETRYABLE: DeadLetterReason
DEAD_LETTER_REASON_DEFERRED_TOO_LONG: DeadLetterReason
DEAD_LETTER_REASON_OUT_OF_TIME: DeadLetterReason
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_PENDING: TaskState
TASK_STATE_SCHEDULED: TaskState
TASK_STATE_RUNNING: TaskState
TASK_STATE_RETRYING: TaskState
TASK_STATE_WAITING: TaskState
TASK_STATE_COMPLETED: TaskState
TASK_STATE_FAILED: TaskState
TASK_STATE_SKIPPED: TaskState
TASK_STATE_CANCELED: TaskState
TASK_STATE_TIMED_OUT: TaskState
TASK_STATE_COMPENSATED: TaskState
SKIP_REASON_UNSPECIFIED: SkipReason
SKIP_REASON_NOT_TAKEN: SkipReason
SKIP_REASON_UPSTREAM_FAILED: SkipReason

class Run(_message.Message):
    __slots__ = ("run_id", "flow_id", "version", "flow_hash", "tenant_id", "state", "phase", "cause", "holds", "input", "input_json", "input_ref", "output", "output_json", "output_ref", "error", "labels", "run_key", "user_id", "correlation_id", "execution_context_json", "create_time", "scheduled_time", "start_time", "update_time", "end_time", "deadline_time", "sequence", "generation", "task_counts", "unread_signals", "flow_state", "parent_run_id", "parent_task_id", "root_run_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FLOW_HASH_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_REF_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_REF_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNTS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    FLOW_STATE_FIELD_NUMBER: _ClassVar[int]
    PARENT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    flow_id: str
    version: str
    flow_hash: str
    tenant_id: str
    state: RunState
    phase: RunPhase
    cause: RunCause
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    input: _struct_pb2.Struct
    input_json: bytes
    input_ref: _payload_pb2.PayloadRef
    output: _struct_pb2.Value
    output_json: bytes
    output_ref: _payload_pb2.PayloadRef
    error: RunError
    labels: _containers.ScalarMap[str, str]
    run_key: str
    user_id: str
    correlation_id: str
    execution_context_json: bytes
    create_time: _timestamp_pb2.Timestamp
    scheduled_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    deadline_time: _timestamp_pb2.Timestamp
    sequence: int
    generation: int
    task_counts: TaskCounts
    unread_signals: _containers.RepeatedCompositeFieldContainer[UnreadSignals]
    flow_state: str
    parent_run_id: str
    parent_task_id: str
    root_run_id: str
    def __init__(self, run_id: _Optional[str] = ..., flow_id: _Optional[str] = ..., version: _Optional[str] = ..., flow_hash: _Optional[str] = ..., tenant_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., phase: _Optional[_Union[RunPhase, str]] = ..., cause: _Optional[_Union[RunCause, _Mapping]] = ..., holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., input_json: _Optional[bytes] = ..., input_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output_json: _Optional[bytes] = ..., output_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., error: _Optional[_Union[RunError, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., run_key: _Optional[str] = ..., user_id: _Optional[str] = ..., correlation_id: _Optional[str] = ..., execution_context_json: _Optional[bytes] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ..., generation: _Optional[int] = ..., task_counts: _Optional[_Union[TaskCounts, _Mapping]] = ..., unread_signals: _Optional[_Iterable[_Union[UnreadSignals, _Mapping]]] = ..., flow_state: _Optional[str] = ..., parent_run_id: _Optional[str] = ..., parent_task_id: _Optional[str] = ..., root_run_id: _Optional[str] = ...) -> None: ...

class RunSummary(_message.Message):
    __slots__ = ("run_id", "flow_id", "version", "flow_hash", "tenant_id", "state", "phase", "labels", "run_key", "user_id", "correlation_id", "create_time", "update_time", "end_time", "deadline_time", "sequence", "parent_run_id", "root_run_id", "damage")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FLOW_HASH_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PARENT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    flow_id: str
    version: str
    flow_hash: str
    tenant_id: str
    state: RunState
    phase: RunPhase
    labels: _containers.ScalarMap[str, str]
    run_key: str
    user_id: str
    correlation_id: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    deadline_time: _timestamp_pb2.Timestamp
    sequence: int
    parent_run_id: str
    root_run_id: str
    damage: str
    def __init__(self, run_id: _Optional[str] = ..., flow_id: _Optional[str] = ..., version: _Optional[str] = ..., flow_hash: _Optional[str] = ..., tenant_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., phase: _Optional[_Union[RunPhase, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., run_key: _Optional[str] = ..., user_id: _Optional[str] = ..., correlation_id: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sequence: _Optional[int] = ..., parent_run_id: _Optional[str] = ..., root_run_id: _Optional[str] = ..., damage: _Optional[str] = ...) -> None: ...

class RunCause(_message.Message):
    __slots__ = ("outcome", "reason", "actor", "cause_time", "compensate")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CAUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPENSATE_FIELD_NUMBER: _ClassVar[int]
    outcome: RunPhase
    reason: str
    actor: str
    cause_time: _timestamp_pb2.Timestamp
    compensate: bool
    def __init__(self, outcome: _Optional[_Union[RunPhase, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., cause_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., compensate: bool = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("kind", "actor", "reason", "since_time")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    kind: HoldKind
    actor: str
    reason: str
    since_time: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[HoldKind, str]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RunError(_message.Message):
    __slots__ = ("type", "message", "task_id")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    task_id: str
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., task_id: _Optional[str] = ...) -> None: ...

class TaskCounts(_message.Message):
    __slots__ = ("total", "pending", "scheduled", "running", "retrying", "waiting", "completed", "failed", "skipped", "canceled", "timed_out", "compensated")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    COMPENSATED_FIELD_NUMBER: _ClassVar[int]
    total: int
    pending: int
    scheduled: int
    running: int
    retrying: int
    waiting: int
    completed: int
    failed: int
    skipped: int
    canceled: int
    timed_out: int
    compensated: int
    def __init__(self, total: _Optional[int] = ..., pending: _Optional[int] = ..., scheduled: _Optional[int] = ..., running: _Optional[int] = ..., retrying: _Optional[int] = ..., waiting: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., skipped: _Optional[int] = ..., canceled: _Optional[int] = ..., timed_out: _Optional[int] = ..., compensated: _Optional[int] = ...) -> None: ...

class UnreadSignals(_message.Message):
    __slots__ = ("signal_name", "count", "guard_error")
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    GUARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    signal_name: str
    count: int
    guard_error: RunError
    def __init__(self, signal_name: _Optional[str] = ..., count: _Optional[int] = ..., guard_error: _Optional[_Union[RunError, _Mapping]] = ...) -> None: ...

class RunTask(_message.Message):
    __slots__ = ("run_id", "task_id", "parent_task_id", "task_type", "name", "state", "skip_reason", "attempt", "max_attempts", "generation", "iteration", "wait", "input", "input_json", "input_ref", "output", "output_json", "output_ref", "error", "ready_time", "start_time", "end_time", "next_attempt_time", "depends_on", "dead_letter", "dead_letter_reason", "external_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SKIP_REASON_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ITERATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_REF_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_REF_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    READY_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_FIELD_NUMBER: _ClassVar[int]
    DEAD_LETTER_REASON_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    task_id: str
    parent_task_id: str
    task_type: str
    name: str
    state: TaskState
    skip_reason: SkipReason
    attempt: int
    max_attempts: int
    generation: int
    iteration: int
    wait: TaskWait
    input: _struct_pb2.Value
    input_json: bytes
    input_ref: _payload_pb2.PayloadRef
    output: _struct_pb2.Value
    output_json: bytes
    output_ref: _payload_pb2.PayloadRef
    error: TaskError
    ready_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    next_attempt_time: _timestamp_pb2.Timestamp
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    dead_letter: bool
    dead_letter_reason: DeadLetterReason
    external_id: str
    def __init__(self, run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., parent_task_id: _Optional[str] = ..., task_type: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[_Union[TaskState, str]] = ..., skip_reason: _Optional[_Union[SkipReason, str]] = ..., attempt: _Optional[int] = ..., max_attempts: _Optional[int] = ..., generation: _Optional[int] = ..., iteration: _Optional[int] = ..., wait: _Optional[_Union[TaskWait, _Mapping]] = ..., input: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., input_json: _Optional[bytes] = ..., input_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output_json: _Optional[bytes] = ..., output_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., error: _Optional[_Union[TaskError, _Mapping]] = ..., ready_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., next_attempt_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., depends_on: _Optional[_Iterable[str]] = ..., dead_letter: bool = ..., dead_letter_reason: _Optional[_Union[DeadLetterReason, str]] = ..., external_id: _Optional[str] = ...) -> None: ...

class TaskError(_message.Message):
    __slots__ = ("type", "message", "retryable", "details")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    retryable: bool
    details: _struct_pb2.Value
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., retryable: bool = ..., details: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class TaskWait(_message.Message):
    __slots__ = ("timer", "signal", "approval", "child_run", "child_tasks")
    TIMER_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    CHILD_RUN_FIELD_NUMBER: _ClassVar[int]
    CHILD_TASKS_FIELD_NUMBER: _ClassVar[int]
    timer: TimerWait
    signal: SignalWait
    approval: ApprovalWait
    child_run: ChildRunWait
    child_tasks: ChildTasksWait
    def __init__(self, timer: _Optional[_Union[TimerWait, _Mapping]] = ..., signal: _Optional[_Union[SignalWait, _Mapping]] = ..., approval: _Optional[_Union[ApprovalWait, _Mapping]] = ..., child_run: _Optional[_Union[ChildRunWait, _Mapping]] = ..., child_tasks: _Optional[_Union[ChildTasksWait, _Mapping]] = ...) -> None: ...

class TimerWait(_message.Message):
    __slots__ = ("due_time",)
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    due_time: _timestamp_pb2.Timestamp
    def __init__(self, due_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignalWait(_message.Message):
    __slots__ = ("signal_names", "due_time")
    SIGNAL_NAMES_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    signal_names: _containers.RepeatedScalarFieldContainer[str]
    due_time: _timestamp_pb2.Timestamp
    def __init__(self, signal_names: _Optional[_Iterable[str]] = ..., due_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApprovalWait(_message.Message):
    __slots__ = ("assignees", "due_time", "approval_id")
    ASSIGNEES_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    assignees: _containers.RepeatedScalarFieldContainer[str]
    due_time: _timestamp_pb2.Timestamp
    approval_id: str
    def __init__(self, assignees: _Optional[_Iterable[str]] = ..., due_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., approval_id: _Optional[str] = ...) -> None: ...

class ChildRunWait(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class ChildTasksWait(_message.Message):
    __slots__ = ("total", "done")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    total: int
    done: int
    def __init__(self, total: _Optional[int] = ..., done: _Optional[int] = ...) -> None: ...
