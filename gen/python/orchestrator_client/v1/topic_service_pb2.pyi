from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RewindTopicRequest(_message.Message):
    __slots__ = ("topic", "partition", "position", "reason", "request_id")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    position: str
    reason: str
    request_id: str
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., position: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RewindTopicResponse(_message.Message):
    __slots__ = ("partitions",)
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    partitions: _containers.RepeatedCompositeFieldContainer[RewoundPartition]
    def __init__(self, partitions: _Optional[_Iterable[_Union[RewoundPartition, _Mapping]]] = ...) -> None: ...

class RewoundPartition(_message.Message):
    __slots__ = ("partition", "from_offset", "to_offset")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    FROM_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TO_OFFSET_FIELD_NUMBER: _ClassVar[int]
    partition: int
    from_offset: str
    to_offset: str
    def __init__(self, partition: _Optional[int] = ..., from_offset: _Optional[str] = ..., to_offset: _Optional[str] = ...) -> None: ...
