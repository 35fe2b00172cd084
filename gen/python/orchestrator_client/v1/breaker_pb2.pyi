from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]

class ForcedBreaker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORCED_BREAKER_UNSPECIFIED: _ClassVar[ForcedBreaker]
    FORCED_BREAKER_OPEN: _ClassVar[ForcedBreaker]
    FORCED_BREAKER_CLOSED: _ClassVar[ForcedBreaker]
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState
FORCED_BREAKER_UNSPECIFIED: ForcedBreaker
FORCED_BREAKER_OPEN: ForcedBreaker
FORCED_BREAKER_CLOSED: ForcedBreaker

class Breaker(_message.Message):
    __slots__ = ("origin", "service", "flow_id", "task", "state", "forced", "reopen_time", "failure_count", "running_count", "queued_count", "max_concurrent", "max_queued", "instance_id")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    REOPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    origin: str
    service: str
    flow_id: str
    task: str
    state: BreakerState
    forced: ForcedBreaker
    reopen_time: _timestamp_pb2.Timestamp
    failure_count: int
    running_count: int
    queued_count: int
    max_concurrent: int
    max_queued: int
    instance_id: str
    def __init__(self, origin: _Optional[str] = ..., service: _Optional[str] = ..., flow_id: _Optional[str] = ..., task: _Optional[str] = ..., state: _Optional[_Union[BreakerState, str]] = ..., forced: _Optional[_Union[ForcedBreaker, str]] = ..., reopen_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., failure_count: _Optional[int] = ..., running_count: _Optional[int] = ..., queued_count: _Optional[int] = ..., max_concurrent: _Optional[int] = ..., max_queued: _Optional[int] = ..., instance_id: _Optional[str] = ...) -> None: ...

class ToolOverride(_message.Message):
    __slots__ = ("service", "origin", "flow_id", "task", "breaker", "max_concurrent", "max_queued", "expire_time", "update_time", "actor", "change_reason", "model")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    service: str
    origin: str
    flow_id: str
    task: str
    breaker: ForcedBreaker
    max_concurrent: int
    max_queued: int
    expire_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    actor: str
    change_reason: str
    model: str
    def __init__(self, service: _Optional[str] = ..., origin: _Optional[str] = ..., flow_id: _Optional[str] = ..., task: _Optional[str] = ..., breaker: _Optional[_Union[ForcedBreaker, str]] = ..., max_concurrent: _Optional[int] = ..., max_queued: _Optional[int] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., change_reason: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...
