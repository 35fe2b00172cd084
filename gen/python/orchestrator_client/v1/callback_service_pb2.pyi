from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerCallbackRequest(_message.Message):
    __slots__ = ("callback_token", "result")
    CALLBACK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    callback_token: str
    result: _struct_pb2.Value
    def __init__(self, callback_token: _Optional[str] = ..., result: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class AnswerCallbackResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
