from orchestrator_client.v1 import undelivered_message_pb2 as _undelivered_message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListUndeliveredMessagesRequest(_message.Message):
    __slots__ = ("destination", "place", "reason", "run_id", "page_size", "page_token")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    destination: _undelivered_message_pb2.MessageDestination
    place: str
    reason: _undelivered_message_pb2.UndeliveredReason
    run_id: str
    page_size: int
    page_token: str
    def __init__(self, destination: _Optional[_Union[_undelivered_message_pb2.MessageDestination, str]] = ..., place: _Optional[str] = ..., reason: _Optional[_Union[_undelivered_message_pb2.UndeliveredReason, str]] = ..., run_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUndeliveredMessagesResponse(_message.Message):
    __slots__ = ("messages", "next_page_token")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_undelivered_message_pb2.UndeliveredMessage]
    next_page_token: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_undelivered_message_pb2.UndeliveredMessage, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetUndeliveredMessageRequest(_message.Message):
    __slots__ = ("message_id",)
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    def __init__(self, message_id: _Optional[str] = ...) -> None: ...

class GetUndeliveredMessageResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: _undelivered_message_pb2.UndeliveredMessage
    def __init__(self, message: _Optional[_Union[_undelivered_message_pb2.UndeliveredMessage, _Mapping]] = ...) -> None: ...

class MessageSelector(_message.Message):
    __slots__ = ("destination", "place", "reason", "run_id")
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    destination: _undelivered_message_pb2.MessageDestination
    place: str
    reason: _undelivered_message_pb2.UndeliveredReason
    run_id: str
    def __init__(self, destination: _Optional[_Union[_undelivered_message_pb2.MessageDestination, str]] = ..., place: _Optional[str] = ..., reason: _Optional[_Union[_undelivered_message_pb2.UndeliveredReason, str]] = ..., run_id: _Optional[str] = ...) -> None: ...

class RedeliverMessagesRequest(_message.Message):
    __slots__ = ("message_ids", "selector", "change_reason", "request_id")
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    selector: MessageSelector
    change_reason: str
    request_id: str
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ..., selector: _Optional[_Union[MessageSelector, _Mapping]] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RedeliverMessagesResponse(_message.Message):
    __slots__ = ("message_ids", "has_more", "not_found_message_ids")
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NOT_FOUND_MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    has_more: bool
    not_found_message_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ..., has_more: bool = ..., not_found_message_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DropMessagesRequest(_message.Message):
    __slots__ = ("message_ids", "selector", "change_reason", "request_id")
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    selector: MessageSelector
    change_reason: str
    request_id: str
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ..., selector: _Optional[_Union[MessageSelector, _Mapping]] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DropMessagesResponse(_message.Message):
    __slots__ = ("message_ids", "has_more", "not_found_message_ids")
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    NOT_FOUND_MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    has_more: bool
    not_found_message_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ..., has_more: bool = ..., not_found_message_ids: _Optional[_Iterable[str]] = ...) -> None: ...
