from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import approval_pb2 as _approval_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_EVENT_KIND_UNSPECIFIED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_STARTED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_OPENED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_COMPLETED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_FAILED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_CANCELED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_TIMED_OUT: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_TERMINATED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_ENDING: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_COMPENSATING: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_HELD: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_RELEASED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_RECOVERED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_DISPATCHED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_WAITING: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_EXPANDED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_COMPLETED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_RETRYING: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_SUSPENDED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_FAILED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_SKIPPED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_CANCELED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_COMPENSATED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_SIGNAL_RECEIVED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_SIGNAL_CONSUMED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_SIGNAL_GUARD_FAILED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_REQUEST_APPLIED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_STATE_ENTERED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_STATE_ARMED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_STATE_SETTLED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_APPROVAL_ENDED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_SCHEDULED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_STARTED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_RETURNED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_CHECKPOINTED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_DETACHED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_TASK_LIMITED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_LIMITED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_BUDGET_WARNED: _ClassVar[RunEventKind]
    RUN_EVENT_KIND_RUN_RESTORED: _ClassVar[RunEventKind]

class LogLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_LEVEL_UNSPECIFIED: _ClassVar[LogLevel]
    LOG_LEVEL_DEBUG: _ClassVar[LogLevel]
    LOG_LEVEL_INFO: _ClassVar[LogLevel]
    LOG_LEVEL_WARN: _ClassVar[LogLevel]
    LOG_LEVEL_ERROR: _ClassVar[LogLevel]
RUN_EVENT_KIND_UNSPECIFIED: RunEventKind
RUN_EVENT_KIND_RUN_STARTED: RunEventKind
RUN_EVENT_KIND_RUN_OPENED: RunEventKind
RUN_EVENT_KIND_RUN_COMPLETED: RunEventKind
RUN_EVENT_KIND_RUN_FAILED: RunEventKind
RUN_EVENT_KIND_RUN_CANCELED: RunEventKind
RUN_EVENT_KIND_RUN_TIMED_OUT: RunEventKind
RUN_EVENT_KIND_RUN_TERMINATED: RunEventKind
RUN_EVENT_KIND_RUN_ENDING: RunEventKind
RUN_EVENT_KIND_RUN_COMPENSATING: RunEventKind
RUN_EVENT_KIND_RUN_HELD: RunEventKind
RUN_EVENT_KIND_RUN_RELEASED: RunEventKind
RUN_EVENT_KIND_RUN_RECOVERED: RunEventKind
RUN_EVENT_KIND_TASK_DISPATCHED: RunEventKind
RUN_EVENT_KIND_TASK_WAITING: RunEventKind
RUN_EVENT_KIND_TASK_EXPANDED: RunEventKind
RUN_EVENT_KIND_TASK_COMPLETED: RunEventKind
RUN_EVENT_KIND_TASK_RETRYING: RunEventKind
RUN_EVENT_KIND_TASK_SUSPENDED: RunEventKind
RUN_EVENT_KIND_TASK_FAILED: RunEventKind
RUN_EVENT_KIND_TASK_SKIPPED: RunEventKind
RUN_EVENT_KIND_TASK_CANCELED: RunEventKind
RUN_EVENT_KIND_TASK_COMPENSATED: RunEventKind
RUN_EVENT_KIND_SIGNAL_RECEIVED: RunEventKind
RUN_EVENT_KIND_SIGNAL_CONSUMED: RunEventKind
RUN_EVENT_KIND_SIGNAL_GUARD_FAILED: RunEventKind
RUN_EVENT_KIND_REQUEST_APPLIED: RunEventKind
RUN_EVENT_KIND_STATE_ENTERED: RunEventKind
RUN_EVENT_KIND_STATE_ARMED: RunEventKind
RUN_EVENT_KIND_STATE_SETTLED: RunEventKind
RUN_EVENT_KIND_APPROVAL_ENDED: RunEventKind
RUN_EVENT_KIND_TASK_SCHEDULED: RunEventKind
RUN_EVENT_KIND_TASK_STARTED: RunEventKind
RUN_EVENT_KIND_TASK_RETURNED: RunEventKind
RUN_EVENT_KIND_TASK_CHECKPOINTED: RunEventKind
RUN_EVENT_KIND_TASK_DETACHED: RunEventKind
RUN_EVENT_KIND_TASK_LIMITED: RunEventKind
RUN_EVENT_KIND_RUN_LIMITED: RunEventKind
RUN_EVENT_KIND_RUN_BUDGET_WARNED: RunEventKind
RUN_EVENT_KIND_RUN_RESTORED: RunEventKind
LOG_LEVEL_UNSPECIFIED: LogLevel
LOG_LEVEL_DEBUG: LogLevel
LOG_LEVEL_INFO: LogLevel
LOG_LEVEL_WARN: LogLevel
LOG_LEVEL_ERROR: LogLevel

class RunEvent(_message.Message):
    __slots__ = ("run_id", "sequence", "cursor", "durable", "event_time", "task_id", "attempt", "kind", "run_transition", "task_transition", "hold_change", "signal_change", "progress", "log", "token", "approval_change", "attributes")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RUN_TRANSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_TRANSITION_FIELD_NUMBER: _ClassVar[int]
    HOLD_CHANGE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_CHANGE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_CHANGE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    sequence: int
    cursor: str
    durable: bool
    event_time: _timestamp_pb2.Timestamp
    task_id: str
    attempt: int
    kind: RunEventKind
    run_transition: RunTransition
    task_transition: TaskTransition
    hold_change: HoldChange
    signal_change: SignalChange
    progress: TaskProgress
    log: TaskLog
    token: TaskToken
    approval_change: ApprovalChange
    attributes: _struct_pb2.Struct
    def __init__(self, run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., cursor: _Optional[str] = ..., durable: bool = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., kind: _Optional[_Union[RunEventKind, str]] = ..., run_transition: _Optional[_Union[RunTransition, _Mapping]] = ..., task_transition: _Optional[_Union[TaskTransition, _Mapping]] = ..., hold_change: _Optional[_Union[HoldChange, _Mapping]] = ..., signal_change: _Optional[_Union[SignalChange, _Mapping]] = ..., progress: _Optional[_Union[TaskProgress, _Mapping]] = ..., log: _Optional[_Union[TaskLog, _Mapping]] = ..., token: _Optional[_Union[TaskToken, _Mapping]] = ..., approval_change: _Optional[_Union[ApprovalChange, _Mapping]] = ..., attributes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RunTransition(_message.Message):
    __slots__ = ("phase", "error", "reason", "actor")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    phase: _run_pb2.RunPhase
    error: _run_pb2.RunError
    reason: str
    actor: str
    def __init__(self, phase: _Optional[_Union[_run_pb2.RunPhase, str]] = ..., error: _Optional[_Union[_run_pb2.RunError, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class TaskTransition(_message.Message):
    __slots__ = ("state", "task_type", "skip_reason", "error", "next_attempt_time", "wait", "actor", "reason")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TASK_TYPE_FIELD_NUMBER: _ClassVar[int]
    SKIP_REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    state: _run_pb2.TaskState
    task_type: str
    skip_reason: _run_pb2.SkipReason
    error: _run_pb2.TaskError
    next_attempt_time: _timestamp_pb2.Timestamp
    wait: _run_pb2.TaskWait
    actor: str
    reason: str
    def __init__(self, state: _Optional[_Union[_run_pb2.TaskState, str]] = ..., task_type: _Optional[str] = ..., skip_reason: _Optional[_Union[_run_pb2.SkipReason, str]] = ..., error: _Optional[_Union[_run_pb2.TaskError, _Mapping]] = ..., next_attempt_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., wait: _Optional[_Union[_run_pb2.TaskWait, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class HoldChange(_message.Message):
    __slots__ = ("hold", "held")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    hold: _run_pb2.Hold
    held: bool
    def __init__(self, hold: _Optional[_Union[_run_pb2.Hold, _Mapping]] = ..., held: bool = ...) -> None: ...

class SignalChange(_message.Message):
    __slots__ = ("signal_name", "consumed", "guard_error", "actor")
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_FIELD_NUMBER: _ClassVar[int]
    GUARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    signal_name: str
    consumed: bool
    guard_error: _run_pb2.RunError
    actor: str
    def __init__(self, signal_name: _Optional[str] = ..., consumed: bool = ..., guard_error: _Optional[_Union[_run_pb2.RunError, _Mapping]] = ..., actor: _Optional[str] = ...) -> None: ...

class ApprovalChange(_message.Message):
    __slots__ = ("approval_id", "state", "actor", "comment")
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    approval_id: str
    state: _approval_pb2.ApprovalState
    actor: str
    comment: str
    def __init__(self, approval_id: _Optional[str] = ..., state: _Optional[_Union[_approval_pb2.ApprovalState, str]] = ..., actor: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class TaskProgress(_message.Message):
    __slots__ = ("fraction", "message", "current", "total")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    message: str
    current: int
    total: int
    def __init__(self, fraction: _Optional[float] = ..., message: _Optional[str] = ..., current: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class TaskLog(_message.Message):
    __slots__ = ("level", "message")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    level: LogLevel
    message: str
    def __init__(self, level: _Optional[_Union[LogLevel, str]] = ..., message: _Optional[str] = ...) -> None: ...

class TaskToken(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class RunSnapshot(_message.Message):
    __slots__ = ("run", "tasks", "cursor", "continued")
    RUN_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    tasks: _containers.RepeatedCompositeFieldContainer[_run_pb2.RunTask]
    cursor: str
    continued: bool
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[_run_pb2.RunTask, _Mapping]]] = ..., cursor: _Optional[str] = ..., continued: bool = ...) -> None: ...

class WatchGap(_message.Message):
    __slots__ = ("lost_count",)
    LOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    lost_count: int
    def __init__(self, lost_count: _Optional[int] = ...) -> None: ...

class WatchHeartbeat(_message.Message):
    __slots__ = ("server_time", "cursor")
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    server_time: _timestamp_pb2.Timestamp
    cursor: str
    def __init__(self, server_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., cursor: _Optional[str] = ...) -> None: ...

class RunEnd(_message.Message):
    __slots__ = ("run", "cursor")
    RUN_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    cursor: str
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., cursor: _Optional[str] = ...) -> None: ...

class RunUpdate(_message.Message):
    __slots__ = ("run", "matches", "cursor")
    RUN_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.RunSummary
    matches: bool
    cursor: str
    def __init__(self, run: _Optional[_Union[_run_pb2.RunSummary, _Mapping]] = ..., matches: bool = ..., cursor: _Optional[str] = ...) -> None: ...

class RunsSnapshot(_message.Message):
    __slots__ = ("runs", "partial", "cursor")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.RunSummary]
    partial: bool
    cursor: str
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.RunSummary, _Mapping]]] = ..., partial: bool = ..., cursor: _Optional[str] = ...) -> None: ...
