from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TriggerSourceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIGGER_SOURCE_KIND_UNSPECIFIED: _ClassVar[TriggerSourceKind]
    TRIGGER_SOURCE_KIND_WEBHOOK: _ClassVar[TriggerSourceKind]
    TRIGGER_SOURCE_KIND_KAFKA: _ClassVar[TriggerSourceKind]
    TRIGGER_SOURCE_KIND_REDIS: _ClassVar[TriggerSourceKind]

class TriggerAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIGGER_ACTION_UNSPECIFIED: _ClassVar[TriggerAction]
    TRIGGER_ACTION_START: _ClassVar[TriggerAction]
    TRIGGER_ACTION_SIGNAL: _ClassVar[TriggerAction]

class TriggerOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIGGER_OUTCOME_UNSPECIFIED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_ACCEPTED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_DUPLICATE: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_FILTERED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_UNMATCHED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_KEY_OPEN: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_PAUSED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_UNSIGNED: _ClassVar[TriggerOutcome]
    TRIGGER_OUTCOME_FAILED: _ClassVar[TriggerOutcome]
TRIGGER_SOURCE_KIND_UNSPECIFIED: TriggerSourceKind
TRIGGER_SOURCE_KIND_WEBHOOK: TriggerSourceKind
TRIGGER_SOURCE_KIND_KAFKA: TriggerSourceKind
TRIGGER_SOURCE_KIND_REDIS: TriggerSourceKind
TRIGGER_ACTION_UNSPECIFIED: TriggerAction
TRIGGER_ACTION_START: TriggerAction
TRIGGER_ACTION_SIGNAL: TriggerAction
TRIGGER_OUTCOME_UNSPECIFIED: TriggerOutcome
TRIGGER_OUTCOME_ACCEPTED: TriggerOutcome
TRIGGER_OUTCOME_DUPLICATE: TriggerOutcome
TRIGGER_OUTCOME_FILTERED: TriggerOutcome
TRIGGER_OUTCOME_UNMATCHED: TriggerOutcome
TRIGGER_OUTCOME_KEY_OPEN: TriggerOutcome
TRIGGER_OUTCOME_PAUSED: TriggerOutcome
TRIGGER_OUTCOME_UNSIGNED: TriggerOutcome
TRIGGER_OUTCOME_FAILED: TriggerOutcome

class Trigger(_message.Message):
    __slots__ = ("trigger_id", "tenant_id", "flow_id", "source", "action", "definition", "etag", "pause", "create_time", "update_time", "counts", "problem")
    TRIGGER_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    trigger_id: str
    tenant_id: str
    flow_id: str
    source: TriggerSource
    action: TriggerAction
    definition: str
    etag: str
    pause: TriggerPause
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    counts: _containers.RepeatedCompositeFieldContainer[TriggerCount]
    problem: str
    def __init__(self, trigger_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., flow_id: _Optional[str] = ..., source: _Optional[_Union[TriggerSource, _Mapping]] = ..., action: _Optional[_Union[TriggerAction, str]] = ..., definition: _Optional[str] = ..., etag: _Optional[str] = ..., pause: _Optional[_Union[TriggerPause, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., counts: _Optional[_Iterable[_Union[TriggerCount, _Mapping]]] = ..., problem: _Optional[str] = ...) -> None: ...

class TriggerSource(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: TriggerSourceKind
    name: str
    def __init__(self, kind: _Optional[_Union[TriggerSourceKind, str]] = ..., name: _Optional[str] = ...) -> None: ...

class TriggerPause(_message.Message):
    __slots__ = ("actor", "reason", "since_time")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    since_time: _timestamp_pb2.Timestamp
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TriggerCount(_message.Message):
    __slots__ = ("outcome", "count", "last_time", "last_event_id", "last_run_id", "last_problem")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    outcome: TriggerOutcome
    count: int
    last_time: _timestamp_pb2.Timestamp
    last_event_id: str
    last_run_id: str
    last_problem: str
    def __init__(self, outcome: _Optional[_Union[TriggerOutcome, str]] = ..., count: _Optional[int] = ..., last_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., last_event_id: _Optional[str] = ..., last_run_id: _Optional[str] = ..., last_problem: _Optional[str] = ...) -> None: ...

class TriggerEvent(_message.Message):
    __slots__ = ("event_id", "outcome", "run_id", "problem", "receive_time")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    outcome: TriggerOutcome
    run_id: str
    problem: str
    receive_time: _timestamp_pb2.Timestamp
    def __init__(self, event_id: _Optional[str] = ..., outcome: _Optional[_Union[TriggerOutcome, str]] = ..., run_id: _Optional[str] = ..., problem: _Optional[str] = ..., receive_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
