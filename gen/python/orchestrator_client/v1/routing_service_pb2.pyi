from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from orchestrator_client.v1 import routed_task_pb2 as _routed_task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RouteTaskRequest(_message.Message):
    __slots__ = ("service", "method", "path", "payload", "payload_json", "payload_ref", "context_json", "request_id", "task_id", "wait", "read_mask")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_REF_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    service: str
    method: str
    path: str
    payload: _struct_pb2.Value
    payload_json: bytes
    payload_ref: _payload_pb2.PayloadRef
    context_json: bytes
    request_id: str
    task_id: str
    wait: _duration_pb2.Duration
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, service: _Optional[str] = ..., method: _Optional[str] = ..., path: _Optional[str] = ..., payload: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., payload_json: _Optional[bytes] = ..., payload_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., context_json: _Optional[bytes] = ..., request_id: _Optional[str] = ..., task_id: _Optional[str] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class RouteTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _routed_task_pb2.RoutedTask
    def __init__(self, task: _Optional[_Union[_routed_task_pb2.RoutedTask, _Mapping]] = ...) -> None: ...

class GetRoutedTaskRequest(_message.Message):
    __slots__ = ("task_id", "wait", "read_mask")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    wait: _duration_pb2.Duration
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, task_id: _Optional[str] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetRoutedTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _routed_task_pb2.RoutedTask
    def __init__(self, task: _Optional[_Union[_routed_task_pb2.RoutedTask, _Mapping]] = ...) -> None: ...

class ListRoutedTasksRequest(_message.Message):
    __slots__ = ("state", "service", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: _routed_task_pb2.RoutedTaskState
    service: str
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[_Union[_routed_task_pb2.RoutedTaskState, str]] = ..., service: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRoutedTasksResponse(_message.Message):
    __slots__ = ("tasks", "next_page_token", "total_count")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_routed_task_pb2.RoutedTask]
    next_page_token: str
    total_count: int
    def __init__(self, tasks: _Optional[_Iterable[_Union[_routed_task_pb2.RoutedTask, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_count: _Optional[int] = ...) -> None: ...

class GetRoutingStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRoutingStatsResponse(_message.Message):
    __slots__ = ("ended_count", "success_count", "error_count", "timeout_count", "retry_count", "retried_success_count", "retried_failure_count", "average_duration", "p95_duration", "p99_duration", "since_time")
    ENDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRIED_SUCCESS_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_DURATION_FIELD_NUMBER: _ClassVar[int]
    P95_DURATION_FIELD_NUMBER: _ClassVar[int]
    P99_DURATION_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    ended_count: int
    success_count: int
    error_count: int
    timeout_count: int
    retry_count: int
    retried_success_count: int
    retried_failure_count: int
    average_duration: _duration_pb2.Duration
    p95_duration: _duration_pb2.Duration
    p99_duration: _duration_pb2.Duration
    since_time: _timestamp_pb2.Timestamp
    def __init__(self, ended_count: _Optional[int] = ..., success_count: _Optional[int] = ..., error_count: _Optional[int] = ..., timeout_count: _Optional[int] = ..., retry_count: _Optional[int] = ..., retried_success_count: _Optional[int] = ..., retried_failure_count: _Optional[int] = ..., average_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., p95_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., p99_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
