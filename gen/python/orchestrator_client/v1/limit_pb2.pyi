from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LimitSlotState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIMIT_SLOT_STATE_UNSPECIFIED: _ClassVar[LimitSlotState]
    LIMIT_SLOT_STATE_WAITING: _ClassVar[LimitSlotState]
    LIMIT_SLOT_STATE_GRANTED: _ClassVar[LimitSlotState]
    LIMIT_SLOT_STATE_TAKEN: _ClassVar[LimitSlotState]
LIMIT_SLOT_STATE_UNSPECIFIED: LimitSlotState
LIMIT_SLOT_STATE_WAITING: LimitSlotState
LIMIT_SLOT_STATE_GRANTED: LimitSlotState
LIMIT_SLOT_STATE_TAKEN: LimitSlotState

class Limit(_message.Message):
    __slots__ = ("name", "tenant_id", "declaration", "pause", "paused_key_count", "waiting_count", "held_count", "oldest_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DECLARATION_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    tenant_id: str
    declaration: LimitDeclaration
    pause: LimitPause
    paused_key_count: int
    waiting_count: int
    held_count: int
    oldest_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., tenant_id: _Optional[str] = ..., declaration: _Optional[_Union[LimitDeclaration, _Mapping]] = ..., pause: _Optional[_Union[LimitPause, _Mapping]] = ..., paused_key_count: _Optional[int] = ..., waiting_count: _Optional[int] = ..., held_count: _Optional[int] = ..., oldest_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LimitDeclaration(_message.Message):
    __slots__ = ("max_concurrent", "rate", "etag", "actor", "reason", "update_time")
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    max_concurrent: int
    rate: LimitRate
    etag: str
    actor: str
    reason: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, max_concurrent: _Optional[int] = ..., rate: _Optional[_Union[LimitRate, _Mapping]] = ..., etag: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LimitRate(_message.Message):
    __slots__ = ("count", "per")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    count: int
    per: _duration_pb2.Duration
    def __init__(self, count: _Optional[int] = ..., per: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LimitPause(_message.Message):
    __slots__ = ("actor", "reason", "since_time", "until_time", "run_id")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    since_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    run_id: str
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., run_id: _Optional[str] = ...) -> None: ...

class LimitKey(_message.Message):
    __slots__ = ("key", "waiting_count", "held_count", "oldest_time", "pause")
    KEY_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_TIME_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    key: str
    waiting_count: int
    held_count: int
    oldest_time: _timestamp_pb2.Timestamp
    pause: LimitPause
    def __init__(self, key: _Optional[str] = ..., waiting_count: _Optional[int] = ..., held_count: _Optional[int] = ..., oldest_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., pause: _Optional[_Union[LimitPause, _Mapping]] = ...) -> None: ...

class LimitSlot(_message.Message):
    __slots__ = ("key", "run_id", "task_id", "state", "since_time", "position", "priority")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: str
    task_id: str
    state: LimitSlotState
    since_time: _timestamp_pb2.Timestamp
    position: int
    priority: int
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., state: _Optional[_Union[LimitSlotState, str]] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., position: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...
