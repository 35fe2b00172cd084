from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FlowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLOW_KIND_UNSPECIFIED: _ClassVar[FlowKind]
    FLOW_KIND_TASKS: _ClassVar[FlowKind]
    FLOW_KIND_STATES: _ClassVar[FlowKind]
    FLOW_KIND_GRAPH: _ClassVar[FlowKind]

class FlowVariableType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLOW_VARIABLE_TYPE_UNSPECIFIED: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_ANY: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_STRING: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_INTEGER: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_NUMBER: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_BOOLEAN: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_ARRAY: _ClassVar[FlowVariableType]
    FLOW_VARIABLE_TYPE_OBJECT: _ClassVar[FlowVariableType]
FLOW_KIND_UNSPECIFIED: FlowKind
FLOW_KIND_TASKS: FlowKind
FLOW_KIND_STATES: FlowKind
FLOW_KIND_GRAPH: FlowKind
FLOW_VARIABLE_TYPE_UNSPECIFIED: FlowVariableType
FLOW_VARIABLE_TYPE_ANY: FlowVariableType
FLOW_VARIABLE_TYPE_STRING: FlowVariableType
FLOW_VARIABLE_TYPE_INTEGER: FlowVariableType
FLOW_VARIABLE_TYPE_NUMBER: FlowVariableType
FLOW_VARIABLE_TYPE_BOOLEAN: FlowVariableType
FLOW_VARIABLE_TYPE_ARRAY: FlowVariableType
FLOW_VARIABLE_TYPE_OBJECT: FlowVariableType

class Flow(_message.Message):
    __slots__ = ("flow_id", "version", "flow_hash", "tenant_id", "name", "description", "category", "kind", "variables", "task_count", "latest", "create_time", "source")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FLOW_HASH_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    flow_hash: str
    tenant_id: str
    name: str
    description: str
    category: str
    kind: FlowKind
    variables: _containers.RepeatedCompositeFieldContainer[FlowVariable]
    task_count: int
    latest: bool
    create_time: _timestamp_pb2.Timestamp
    source: str
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., flow_hash: _Optional[str] = ..., tenant_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., category: _Optional[str] = ..., kind: _Optional[_Union[FlowKind, str]] = ..., variables: _Optional[_Iterable[_Union[FlowVariable, _Mapping]]] = ..., task_count: _Optional[int] = ..., latest: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ...) -> None: ...

class FlowVariable(_message.Message):
    __slots__ = ("name", "type", "description", "required", "default_value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: FlowVariableType
    description: str
    required: bool
    default_value: _struct_pb2.Value
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[FlowVariableType, str]] = ..., description: _Optional[str] = ..., required: bool = ..., default_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class FlowProblem(_message.Message):
    __slots__ = ("path", "line", "column", "message")
    PATH_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    line: int
    column: int
    message: str
    def __init__(self, path: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class FlowWarning(_message.Message):
    __slots__ = ("code", "path", "line", "column", "message", "cure")
    CODE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CURE_FIELD_NUMBER: _ClassVar[int]
    code: str
    path: str
    line: int
    column: int
    message: str
    cure: str
    def __init__(self, code: _Optional[str] = ..., path: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., message: _Optional[str] = ..., cure: _Optional[str] = ...) -> None: ...
