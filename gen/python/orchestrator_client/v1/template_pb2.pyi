from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import flow_pb2 as _flow_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Template(_message.Message):
    __slots__ = ("template_id", "version", "name", "description", "category", "variables", "task_count", "source", "generation_id", "approved_by", "approve_time")
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    APPROVE_TIME_FIELD_NUMBER: _ClassVar[int]
    template_id: str
    version: str
    name: str
    description: str
    category: str
    variables: _containers.RepeatedCompositeFieldContainer[_flow_pb2.FlowVariable]
    task_count: int
    source: str
    generation_id: str
    approved_by: str
    approve_time: _timestamp_pb2.Timestamp
    def __init__(self, template_id: _Optional[str] = ..., version: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., category: _Optional[str] = ..., variables: _Optional[_Iterable[_Union[_flow_pb2.FlowVariable, _Mapping]]] = ..., task_count: _Optional[int] = ..., source: _Optional[str] = ..., generation_id: _Optional[str] = ..., approved_by: _Optional[str] = ..., approve_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
