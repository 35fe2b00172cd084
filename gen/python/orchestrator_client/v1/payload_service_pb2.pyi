from orchestrator_client.v1 import payload_pb2 as _payload_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadPayloadRequest(_message.Message):
    __slots__ = ("payload_id", "offset", "limit")
    PAYLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    payload_id: str
    offset: int
    limit: int
    def __init__(self, payload_id: _Optional[str] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ReadPayloadResponse(_message.Message):
    __slots__ = ("ref", "chunk")
    REF_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    ref: _payload_pb2.PayloadRef
    chunk: bytes
    def __init__(self, ref: _Optional[_Union[_payload_pb2.PayloadRef, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...
