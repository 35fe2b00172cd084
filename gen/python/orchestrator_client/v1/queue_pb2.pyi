from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Queue(_message.Message):
    __slots__ = ("queue", "tenant_id", "pause", "drain", "max_length", "ttl", "build_ids", "depth", "deferred_count", "held_count", "oldest_time", "highest_priority", "handlers", "worker_count", "slot_count", "free_slot_count", "silent_instance_count")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    BUILD_IDS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    DEFERRED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_TIME_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SILENT_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    tenant_id: str
    pause: QueueStop
    drain: QueueStop
    max_length: int
    ttl: _duration_pb2.Duration
    build_ids: _containers.RepeatedScalarFieldContainer[str]
    depth: int
    deferred_count: int
    held_count: int
    oldest_time: _timestamp_pb2.Timestamp
    highest_priority: int
    handlers: _containers.RepeatedCompositeFieldContainer[QueueHandler]
    worker_count: int
    slot_count: int
    free_slot_count: int
    silent_instance_count: int
    def __init__(self, queue: _Optional[str] = ..., tenant_id: _Optional[str] = ..., pause: _Optional[_Union[QueueStop, _Mapping]] = ..., drain: _Optional[_Union[QueueStop, _Mapping]] = ..., max_length: _Optional[int] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., build_ids: _Optional[_Iterable[str]] = ..., depth: _Optional[int] = ..., deferred_count: _Optional[int] = ..., held_count: _Optional[int] = ..., oldest_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., highest_priority: _Optional[int] = ..., handlers: _Optional[_Iterable[_Union[QueueHandler, _Mapping]]] = ..., worker_count: _Optional[int] = ..., slot_count: _Optional[int] = ..., free_slot_count: _Optional[int] = ..., silent_instance_count: _Optional[int] = ...) -> None: ...

class QueueStop(_message.Message):
    __slots__ = ("actor", "reason", "since_time")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    since_time: _timestamp_pb2.Timestamp
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., since_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class QueueHandler(_message.Message):
    __slots__ = ("handler", "depth", "deferred_count", "held_count", "worker_count")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    DEFERRED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    handler: str
    depth: int
    deferred_count: int
    held_count: int
    worker_count: int
    def __init__(self, handler: _Optional[str] = ..., depth: _Optional[int] = ..., deferred_count: _Optional[int] = ..., held_count: _Optional[int] = ..., worker_count: _Optional[int] = ...) -> None: ...
