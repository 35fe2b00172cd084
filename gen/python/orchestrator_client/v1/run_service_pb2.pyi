from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from orchestrator_client.v1 import run_diagnosis_pb2 as _run_diagnosis_pb2
from orchestrator_client.v1 import run_event_pb2 as _run_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunKeyPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_KEY_POLICY_UNSPECIFIED: _ClassVar[RunKeyPolicy]
    RUN_KEY_POLICY_REJECT: _ClassVar[RunKeyPolicy]
    RUN_KEY_POLICY_RETURN_EXISTING: _ClassVar[RunKeyPolicy]
    RUN_KEY_POLICY_TERMINATE_AND_START: _ClassVar[RunKeyPolicy]
RUN_KEY_POLICY_UNSPECIFIED: RunKeyPolicy
RUN_KEY_POLICY_REJECT: RunKeyPolicy
RUN_KEY_POLICY_RETURN_EXISTING: RunKeyPolicy
RUN_KEY_POLICY_TERMINATE_AND_START: RunKeyPolicy

class StartRunRequest(_message.Message):
    __slots__ = ("flow_id", "version", "input", "input_json", "input_ref", "request_id", "run_id", "run_key", "run_key_policy", "labels", "user_id", "correlation_id", "execution_context_json", "run_timeout", "start_delay", "signals", "wait", "read_mask", "limit")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_REF_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_KEY_POLICY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    START_DELAY_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    input: _struct_pb2.Struct
    input_json: bytes
    input_ref: _payload_pb2.PayloadRef
    request_id: str
    run_id: str
    run_key: str
    run_key_policy: RunKeyPolicy
    labels: _containers.ScalarMap[str, str]
    user_id: str
    correlation_id: str
    execution_context_json: bytes
    run_timeout: _duration_pb2.Duration
    start_delay: _duration_pb2.Duration
    signals: _containers.RepeatedCompositeFieldContainer[RunSignal]
    wait: _duration_pb2.Duration
    read_mask: _field_mask_pb2.FieldMask
    limit: RunLimit
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., input_json: _Optional[bytes] = ..., input_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., request_id: _Optional[str] = ..., run_id: _Optional[str] = ..., run_key: _Optional[str] = ..., run_key_policy: _Optional[_Union[RunKeyPolicy, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., user_id: _Optional[str] = ..., correlation_id: _Optional[str] = ..., execution_context_json: _Optional[bytes] = ..., run_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., start_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., signals: _Optional[_Iterable[_Union[RunSignal, _Mapping]]] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., limit: _Optional[_Union[RunLimit, _Mapping]] = ...) -> None: ...

class RunLimit(_message.Message):
    __slots__ = ("name", "key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    key: str
    def __init__(self, name: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class RunSignal(_message.Message):
    __slots__ = ("signal_name", "data", "data_json", "data_ref")
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DATA_REF_FIELD_NUMBER: _ClassVar[int]
    signal_name: str
    data: _struct_pb2.Value
    data_json: bytes
    data_ref: _payload_pb2.PayloadRef
    def __init__(self, signal_name: _Optional[str] = ..., data: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., data_json: _Optional[bytes] = ..., data_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ...) -> None: ...

class StartRunResponse(_message.Message):
    __slots__ = ("run", "started")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    started: bool
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., started: bool = ...) -> None: ...

class BatchStartRunsRequest(_message.Message):
    __slots__ = ("requests", "request_id", "wait", "read_mask")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[StartRunRequest]
    request_id: str
    wait: _duration_pb2.Duration
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, requests: _Optional[_Iterable[_Union[StartRunRequest, _Mapping]]] = ..., request_id: _Optional[str] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class BatchStartRunsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchStartRunsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchStartRunsResult, _Mapping]]] = ...) -> None: ...

class BatchStartRunsResult(_message.Message):
    __slots__ = ("run", "error", "started")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    error: _status_pb2.Status
    started: bool
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., started: bool = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id", "read_mask")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, run_id: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class WaitRunRequest(_message.Message):
    __slots__ = ("run_id", "wait", "read_mask")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    wait: _duration_pb2.Duration
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, run_id: _Optional[str] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class WaitRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token", "order_by")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    filter: str
    page_size: int
    page_token: str
    order_by: str
    def __init__(self, filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., order_by: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.RunSummary]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.RunSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CountRunsRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: str
    def __init__(self, filter: _Optional[str] = ...) -> None: ...

class CountRunsResponse(_message.Message):
    __slots__ = ("count", "state_counts")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    count: int
    state_counts: _containers.RepeatedCompositeFieldContainer[RunStateCount]
    def __init__(self, count: _Optional[int] = ..., state_counts: _Optional[_Iterable[_Union[RunStateCount, _Mapping]]] = ...) -> None: ...

class RunStateCount(_message.Message):
    __slots__ = ("state", "count")
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    state: _run_pb2.RunState
    count: int
    def __init__(self, state: _Optional[_Union[_run_pb2.RunState, str]] = ..., count: _Optional[int] = ...) -> None: ...

class ListRunEventsRequest(_message.Message):
    __slots__ = ("run_id", "after_sequence", "page_size", "page_token")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    after_sequence: int
    page_size: int
    page_token: str
    def __init__(self, run_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_run_event_pb2.RunEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[_run_event_pb2.RunEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListRunTasksRequest(_message.Message):
    __slots__ = ("run_id", "filter", "page_size", "page_token")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    filter: str
    page_size: int
    page_token: str
    def __init__(self, run_id: _Optional[str] = ..., filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRunTasksResponse(_message.Message):
    __slots__ = ("tasks", "next_page_token")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_run_pb2.RunTask]
    next_page_token: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[_run_pb2.RunTask, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRunTaskRequest(_message.Message):
    __slots__ = ("run_id", "task_id", "read_mask")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    task_id: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetRunTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _run_pb2.RunTask
    def __init__(self, task: _Optional[_Union[_run_pb2.RunTask, _Mapping]] = ...) -> None: ...

class WatchRunRequest(_message.Message):
    __slots__ = ("run_id", "cursor", "read_mask", "include_ephemeral")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EPHEMERAL_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    cursor: str
    read_mask: _field_mask_pb2.FieldMask
    include_ephemeral: bool
    def __init__(self, run_id: _Optional[str] = ..., cursor: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., include_ephemeral: bool = ...) -> None: ...

class WatchRunResponse(_message.Message):
    __slots__ = ("snapshot", "event", "gap", "heartbeat", "end")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    snapshot: _run_event_pb2.RunSnapshot
    event: _run_event_pb2.RunEvent
    gap: _run_event_pb2.WatchGap
    heartbeat: _run_event_pb2.WatchHeartbeat
    end: _run_event_pb2.RunEnd
    def __init__(self, snapshot: _Optional[_Union[_run_event_pb2.RunSnapshot, _Mapping]] = ..., event: _Optional[_Union[_run_event_pb2.RunEvent, _Mapping]] = ..., gap: _Optional[_Union[_run_event_pb2.WatchGap, _Mapping]] = ..., heartbeat: _Optional[_Union[_run_event_pb2.WatchHeartbeat, _Mapping]] = ..., end: _Optional[_Union[_run_event_pb2.RunEnd, _Mapping]] = ...) -> None: ...

class WatchRunsRequest(_message.Message):
    __slots__ = ("filter", "snapshot_size", "cursor")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_SIZE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    filter: str
    snapshot_size: int
    cursor: str
    def __init__(self, filter: _Optional[str] = ..., snapshot_size: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchRunsResponse(_message.Message):
    __slots__ = ("snapshot", "update", "gap", "heartbeat")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _run_event_pb2.RunsSnapshot
    update: _run_event_pb2.RunUpdate
    gap: _run_event_pb2.WatchGap
    heartbeat: _run_event_pb2.WatchHeartbeat
    def __init__(self, snapshot: _Optional[_Union[_run_event_pb2.RunsSnapshot, _Mapping]] = ..., update: _Optional[_Union[_run_event_pb2.RunUpdate, _Mapping]] = ..., gap: _Optional[_Union[_run_event_pb2.WatchGap, _Mapping]] = ..., heartbeat: _Optional[_Union[_run_event_pb2.WatchHeartbeat, _Mapping]] = ...) -> None: ...

class SignalRunRequest(_message.Message):
    __slots__ = ("run_id", "signal_name", "data", "data_json", "data_ref", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DATA_REF_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    signal_name: str
    data: _struct_pb2.Value
    data_json: bytes
    data_ref: _payload_pb2.PayloadRef
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., data: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., data_json: _Optional[bytes] = ..., data_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class SignalRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class CompleteTaskRequest(_message.Message):
    __slots__ = ("run_id", "task_id", "output", "output_json", "output_ref", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    task_id: str
    output: _struct_pb2.Value
    output_json: bytes
    output_ref: _payload_pb2.PayloadRef
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output_json: _Optional[bytes] = ..., output_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CompleteTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _run_pb2.RunTask
    def __init__(self, task: _Optional[_Union[_run_pb2.RunTask, _Mapping]] = ...) -> None: ...

class FailTaskRequest(_message.Message):
    __slots__ = ("run_id", "task_id", "error_type", "error_message", "non_retryable", "reason", "request_id", "next_retry_delay", "error_details")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    ERROR_DETAILS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    task_id: str
    error_type: str
    error_message: str
    non_retryable: bool
    reason: str
    request_id: str
    next_retry_delay: _duration_pb2.Duration
    error_details: _struct_pb2.Value
    def __init__(self, run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., non_retryable: bool = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., next_retry_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., error_details: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class FailTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _run_pb2.RunTask
    def __init__(self, task: _Optional[_Union[_run_pb2.RunTask, _Mapping]] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "compensate", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMPENSATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    compensate: bool
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., compensate: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class CancelRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class TerminateRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class TerminateRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class PauseRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PauseRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class ResumeRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "hold_kinds", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HOLD_KINDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    hold_kinds: _containers.RepeatedScalarFieldContainer[_run_pb2.HoldKind]
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., hold_kinds: _Optional[_Iterable[_Union[_run_pb2.HoldKind, str]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResumeRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ...) -> None: ...

class DeleteRunRequest(_message.Message):
    __slots__ = ("run_id", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteRunResponse(_message.Message):
    __slots__ = ("run_id", "delete_time")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DELETE_TIME_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    delete_time: _timestamp_pb2.Timestamp
    def __init__(self, run_id: _Optional[str] = ..., delete_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DiagnoseRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class DiagnoseRunResponse(_message.Message):
    __slots__ = ("findings", "truncated")
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[_run_diagnosis_pb2.RunFinding]
    truncated: bool
    def __init__(self, findings: _Optional[_Iterable[_Union[_run_diagnosis_pb2.RunFinding, _Mapping]]] = ..., truncated: bool = ...) -> None: ...
