from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageDestination(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESSAGE_DESTINATION_UNSPECIFIED: _ClassVar[MessageDestination]
    MESSAGE_DESTINATION_KAFKA: _ClassVar[MessageDestination]
    MESSAGE_DESTINATION_REDIS: _ClassVar[MessageDestination]
    MESSAGE_DESTINATION_WEBHOOK: _ClassVar[MessageDestination]
    MESSAGE_DESTINATION_STREAM: _ClassVar[MessageDestination]

class UndeliveredReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNDELIVERED_REASON_UNSPECIFIED: _ClassVar[UndeliveredReason]
    UNDELIVERED_REASON_REFUSED: _ClassVar[UndeliveredReason]
    UNDELIVERED_REASON_EXPIRED: _ClassVar[UndeliveredReason]
    UNDELIVERED_REASON_INVALID: _ClassVar[UndeliveredReason]
    UNDELIVERED_REASON_UNSERVED: _ClassVar[UndeliveredReason]
MESSAGE_DESTINATION_UNSPECIFIED: MessageDestination
MESSAGE_DESTINATION_KAFKA: MessageDestination
MESSAGE_DESTINATION_REDIS: MessageDestination
MESSAGE_DESTINATION_WEBHOOK: MessageDestination
MESSAGE_DESTINATION_STREAM: MessageDestination
UNDELIVERED_REASON_UNSPECIFIED: UndeliveredReason
UNDELIVERED_REASON_REFUSED: UndeliveredReason
UNDELIVERED_REASON_EXPIRED: UndeliveredReason
UNDELIVERED_REASON_INVALID: UndeliveredReason
UNDELIVERED_REASON_UNSERVED: UndeliveredReason

class UndeliveredMessage(_message.Message):
    __slots__ = ("message_id", "tenant_id", "destination", "place", "kind", "run_id", "task_id", "sequence", "reason", "problem", "size_bytes", "create_time", "reject_time", "content_json")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REJECT_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_JSON_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    tenant_id: str
    destination: MessageDestination
    place: str
    kind: str
    run_id: str
    task_id: str
    sequence: int
    reason: UndeliveredReason
    problem: str
    size_bytes: int
    create_time: _timestamp_pb2.Timestamp
    reject_time: _timestamp_pb2.Timestamp
    content_json: str
    def __init__(self, message_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., destination: _Optional[_Union[MessageDestination, str]] = ..., place: _Optional[str] = ..., kind: _Optional[str] = ..., run_id: _Optional[str] = ..., task_id: _Optional[str] = ..., sequence: _Optional[int] = ..., reason: _Optional[_Union[UndeliveredReason, str]] = ..., problem: _Optional[str] = ..., size_bytes: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., reject_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., content_json: _Optional[str] = ...) -> None: ...
