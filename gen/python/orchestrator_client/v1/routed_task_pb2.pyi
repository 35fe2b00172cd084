from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoutedTaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUTED_TASK_STATE_UNSPECIFIED: _ClassVar[RoutedTaskState]
    ROUTED_TASK_STATE_PENDING: _ClassVar[RoutedTaskState]
    ROUTED_TASK_STATE_SUCCESS: _ClassVar[RoutedTaskState]
    ROUTED_TASK_STATE_ERROR: _ClassVar[RoutedTaskState]
    ROUTED_TASK_STATE_TIMEOUT: _ClassVar[RoutedTaskState]
ROUTED_TASK_STATE_UNSPECIFIED: RoutedTaskState
ROUTED_TASK_STATE_PENDING: RoutedTaskState
ROUTED_TASK_STATE_SUCCESS: RoutedTaskState
ROUTED_TASK_STATE_ERROR: RoutedTaskState
ROUTED_TASK_STATE_TIMEOUT: RoutedTaskState

class RoutedTask(_message.Message):
    __slots__ = ("task_id", "tenant_id", "service", "method", "path", "state", "target_url", "response_status", "response", "response_json", "response_ref", "retry_count", "duration", "error", "context_json", "create_time", "end_time")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TARGET_URL_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_STATUS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_JSON_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_REF_FIELD_NUMBER: _ClassVar[int]
    RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    tenant_id: str
    service: str
    method: str
    path: str
    state: RoutedTaskState
    target_url: str
    response_status: int
    response: _struct_pb2.Value
    response_json: bytes
    response_ref: _payload_pb2.PayloadRef
    retry_count: int
    duration: _duration_pb2.Duration
    error: _run_pb2.TaskError
    context_json: bytes
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, task_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., service: _Optional[str] = ..., method: _Optional[str] = ..., path: _Optional[str] = ..., state: _Optional[_Union[RoutedTaskState, str]] = ..., target_url: _Optional[str] = ..., response_status: _Optional[int] = ..., response: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., response_json: _Optional[bytes] = ..., response_ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., retry_count: _Optional[int] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., error: _Optional[_Union[_run_pb2.TaskError, _Mapping]] = ..., context_json: _Optional[bytes] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
