from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from orchestrator_client.v1 import run_event_pb2 as _run_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskReportOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_REPORT_OUTCOME_UNSPECIFIED: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_ACCEPTED: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_OUTDATED: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_UNKNOWN: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_UNAVAILABLE: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_REFUSED: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_CANCEL_REQUESTED: _ClassVar[TaskReportOutcome]
    TASK_REPORT_OUTCOME_ALREADY_REPORTED: _ClassVar[TaskReportOutcome]
TASK_REPORT_OUTCOME_UNSPECIFIED: TaskReportOutcome
TASK_REPORT_OUTCOME_ACCEPTED: TaskReportOutcome
TASK_REPORT_OUTCOME_OUTDATED: TaskReportOutcome
TASK_REPORT_OUTCOME_UNKNOWN: TaskReportOutcome
TASK_REPORT_OUTCOME_UNAVAILABLE: TaskReportOutcome
TASK_REPORT_OUTCOME_REFUSED: TaskReportOutcome
TASK_REPORT_OUTCOME_CANCEL_REQUESTED: TaskReportOutcome
TASK_REPORT_OUTCOME_ALREADY_REPORTED: TaskReportOutcome

class WorkerTask(_message.Message):
    __slots__ = ("task_token", "handler", "queue", "run_id", "task_id", "flow_id", "attempt", "idempotency_key", "fencing_token", "correlation_id", "input_json", "timeout", "heartbeat_timeout", "schedule_time", "checkpoint_json", "traceparent", "tracestate")
    TASK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FENCING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_JSON_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    task_token: str
    handler: str
    queue: str
    run_id: str
    task_id: str
    flow_id: str
    attempt: int
    idempotency_key: str
    fencing_token: int
    correlation_id: str
    input_json: bytes
    timeout: _duration_pb2.Duration
    heartbeat_timeout: _duration_pb2.Duration
    schedule_time: _timestamp_pb2.Timestamp
    checkpoint_json: bytes
    traceparent: str
    tracestate: str
    def __init__(self, task_token: _Optional[str] = ..., handler: _Optional[str] = ..., queue: _Optional[str] = ..., run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., flow_id: _Optional[str] = ..., attempt: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., fencing_token: _Optional[int] = ..., correlation_id: _Optional[str] = ..., input_json: _Optional[bytes] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., heartbeat_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., schedule_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., checkpoint_json: _Optional[bytes] = ..., traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ...) -> None: ...

class TaskReport(_message.Message):
    __slots__ = ("task_token", "acknowledged", "alive", "succeeded", "failed", "stopped", "handed_back", "progress", "log", "checkpoint", "detached")
    TASK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    HANDED_BACK_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    task_token: str
    acknowledged: TaskAcknowledged
    alive: TaskAlive
    succeeded: TaskSucceeded
    failed: TaskErrored
    stopped: TaskStopped
    handed_back: TaskHandedBack
    progress: TaskProgressed
    log: TaskLogged
    checkpoint: TaskCheckpointed
    detached: TaskDetached
    def __init__(self, task_token: _Optional[str] = ..., acknowledged: _Optional[_Union[TaskAcknowledged, _Mapping]] = ..., alive: _Optional[_Union[TaskAlive, _Mapping]] = ..., succeeded: _Optional[_Union[TaskSucceeded, _Mapping]] = ..., failed: _Optional[_Union[TaskErrored, _Mapping]] = ..., stopped: _Optional[_Union[TaskStopped, _Mapping]] = ..., handed_back: _Optional[_Union[TaskHandedBack, _Mapping]] = ..., progress: _Optional[_Union[TaskProgressed, _Mapping]] = ..., log: _Optional[_Union[TaskLogged, _Mapping]] = ..., checkpoint: _Optional[_Union[TaskCheckpointed, _Mapping]] = ..., detached: _Optional[_Union[TaskDetached, _Mapping]] = ...) -> None: ...

class TaskAcknowledged(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskAlive(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskSucceeded(_message.Message):
    __slots__ = ("output", "output_json", "output_ref")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_REF_FIELD_NUMBER: _ClassVar[int]
    output: _struct_pb2.Value
    output_json: bytes
    output_ref: _payload_pb2.PayloadRef
    def __init__(self, output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output_json: _Optional[bytes] = ..., output_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ...) -> None: ...

class TaskErrored(_message.Message):
    __slots__ = ("type", "message", "non_retryable", "next_retry_delay", "details", "details_json")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    non_retryable: bool
    next_retry_delay: _duration_pb2.Duration
    details: _struct_pb2.Value
    details_json: bytes
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., non_retryable: bool = ..., next_retry_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., details: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., details_json: _Optional[bytes] = ...) -> None: ...

class TaskStopped(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskHandedBack(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class TaskProgressed(_message.Message):
    __slots__ = ("fraction", "current", "total", "message")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    current: int
    total: int
    message: str
    def __init__(self, fraction: _Optional[float] = ..., current: _Optional[int] = ..., total: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class TaskLogged(_message.Message):
    __slots__ = ("level", "text")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    level: _run_event_pb2.LogLevel
    text: str
    def __init__(self, level: _Optional[_Union[_run_event_pb2.LogLevel, str]] = ..., text: _Optional[str] = ...) -> None: ...

class TaskCheckpointed(_message.Message):
    __slots__ = ("checkpoint_json",)
    CHECKPOINT_JSON_FIELD_NUMBER: _ClassVar[int]
    checkpoint_json: bytes
    def __init__(self, checkpoint_json: _Optional[bytes] = ...) -> None: ...

class TaskDetached(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TaskReportResult(_message.Message):
    __slots__ = ("outcome", "message", "task_state", "output_type", "task_error")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TASK_STATE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome: TaskReportOutcome
    message: str
    task_state: _run_pb2.TaskState
    output_type: str
    task_error: _run_pb2.TaskError
    def __init__(self, outcome: _Optional[_Union[TaskReportOutcome, str]] = ..., message: _Optional[str] = ..., task_state: _Optional[_Union[_run_pb2.TaskState, str]] = ..., output_type: _Optional[str] = ..., task_error: _Optional[_Union[_run_pb2.TaskError, _Mapping]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("worker_id", "name", "sdk", "labels", "build_id", "queues", "handlers", "slot_count", "free_slot_count", "holdings", "held_count", "register_time", "last_seen_time", "drain")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    REGISTER_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    name: str
    sdk: str
    labels: _containers.ScalarMap[str, str]
    build_id: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    handlers: _containers.RepeatedScalarFieldContainer[str]
    slot_count: int
    free_slot_count: int
    holdings: _containers.RepeatedCompositeFieldContainer[WorkerHolding]
    held_count: int
    register_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    drain: WorkerStop
    def __init__(self, worker_id: _Optional[str] = ..., name: _Optional[str] = ..., sdk: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., build_id: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., handlers: _Optional[_Iterable[str]] = ..., slot_count: _Optional[int] = ..., free_slot_count: _Optional[int] = ..., holdings: _Optional[_Iterable[_Union[WorkerHolding, _Mapping]]] = ..., held_count: _Optional[int] = ..., register_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., drain: _Optional[_Union[WorkerStop, _Mapping]] = ...) -> None: ...

class WorkerHolding(_message.Message):
    __slots__ = ("run_id", "task_id", "since_time", "acknowledged")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    task_id: str
    since_time: _timestamp_pb2.Timestamp
    acknowledged: bool
    def __init__(self, run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledged: bool = ...) -> None: ...

class WorkerStop(_message.Message):
    __slots__ = ("actor", "reason", "since_time")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    since_time: _timestamp_pb2.Timestamp
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
