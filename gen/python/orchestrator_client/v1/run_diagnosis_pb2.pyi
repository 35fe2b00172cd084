from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunFindingKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_FINDING_KIND_UNSPECIFIED: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_HELD: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_TIMER: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_RETRY: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_SIGNAL: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_APPROVAL: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_CHILD_RUN: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_ATTEMPT: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_WORKER: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_QUEUE: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_NO_WORKER: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_QUEUE_PAUSED: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_QUEUE_FULL: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_QUEUE_DRAINED: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_LIMIT: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_LIMIT_PAUSED: _ClassVar[RunFindingKind]
    RUN_FINDING_KIND_BREAKER_FORCED: _ClassVar[RunFindingKind]
RUN_FINDING_KIND_UNSPECIFIED: RunFindingKind
RUN_FINDING_KIND_HELD: RunFindingKind
RUN_FINDING_KIND_TIMER: RunFindingKind
RUN_FINDING_KIND_RETRY: RunFindingKind
RUN_FINDING_KIND_SIGNAL: RunFindingKind
RUN_FINDING_KIND_APPROVAL: RunFindingKind
RUN_FINDING_KIND_CHILD_RUN: RunFindingKind
RUN_FINDING_KIND_ATTEMPT: RunFindingKind
RUN_FINDING_KIND_WORKER: RunFindingKind
RUN_FINDING_KIND_QUEUE: RunFindingKind
RUN_FINDING_KIND_NO_WORKER: RunFindingKind
RUN_FINDING_KIND_QUEUE_PAUSED: RunFindingKind
RUN_FINDING_KIND_QUEUE_FULL: RunFindingKind
RUN_FINDING_KIND_QUEUE_DRAINED: RunFindingKind
RUN_FINDING_KIND_LIMIT: RunFindingKind
RUN_FINDING_KIND_LIMIT_PAUSED: RunFindingKind
RUN_FINDING_KIND_BREAKER_FORCED: RunFindingKind

class RunFinding(_message.Message):
    __slots__ = ("task_id", "kind", "message", "event_time", "method")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    kind: RunFindingKind
    message: str
    event_time: _timestamp_pb2.Timestamp
    method: str
    def __init__(self, task_id: _Optional[str] = ..., kind: _Optional[_Union[RunFindingKind, str]] = ..., message: _Optional[str] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., method: _Optional[str] = ...) -> None: ...
