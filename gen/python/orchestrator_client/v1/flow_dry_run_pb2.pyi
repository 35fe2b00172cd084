from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DryRunEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DRY_RUN_END_UNSPECIFIED: _ClassVar[DryRunEnd]
    DRY_RUN_END_COMPLETED: _ClassVar[DryRunEnd]
    DRY_RUN_END_FAILED: _ClassVar[DryRunEnd]
    DRY_RUN_END_CANCELED: _ClassVar[DryRunEnd]
    DRY_RUN_END_TIMED_OUT: _ClassVar[DryRunEnd]
    DRY_RUN_END_TERMINATED: _ClassVar[DryRunEnd]
    DRY_RUN_END_WAITING: _ClassVar[DryRunEnd]
    DRY_RUN_END_UNFINISHED: _ClassVar[DryRunEnd]

class DryRunTargetKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DRY_RUN_TARGET_KIND_UNSPECIFIED: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_SERVICE: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_ADDRESS: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_MODEL: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_FLOW: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_GRAPH: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_WORKERS: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_TOPICS: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_AGENTS: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_WEBHOOKS: _ClassVar[DryRunTargetKind]
    DRY_RUN_TARGET_KIND_STREAMS: _ClassVar[DryRunTargetKind]
DRY_RUN_END_UNSPECIFIED: DryRunEnd
DRY_RUN_END_COMPLETED: DryRunEnd
DRY_RUN_END_FAILED: DryRunEnd
DRY_RUN_END_CANCELED: DryRunEnd
DRY_RUN_END_TIMED_OUT: DryRunEnd
DRY_RUN_END_TERMINATED: DryRunEnd
DRY_RUN_END_WAITING: DryRunEnd
DRY_RUN_END_UNFINISHED: DryRunEnd
DRY_RUN_TARGET_KIND_UNSPECIFIED: DryRunTargetKind
DRY_RUN_TARGET_KIND_SERVICE: DryRunTargetKind
DRY_RUN_TARGET_KIND_ADDRESS: DryRunTargetKind
DRY_RUN_TARGET_KIND_MODEL: DryRunTargetKind
DRY_RUN_TARGET_KIND_FLOW: DryRunTargetKind
DRY_RUN_TARGET_KIND_GRAPH: DryRunTargetKind
DRY_RUN_TARGET_KIND_WORKERS: DryRunTargetKind
DRY_RUN_TARGET_KIND_TOPICS: DryRunTargetKind
DRY_RUN_TARGET_KIND_AGENTS: DryRunTargetKind
DRY_RUN_TARGET_KIND_WEBHOOKS: DryRunTargetKind
DRY_RUN_TARGET_KIND_STREAMS: DryRunTargetKind

class DryRunResult(_message.Message):
    __slots__ = ("output", "output_json", "error")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    output: _struct_pb2.Value
    output_json: bytes
    error: DryRunError
    def __init__(self, output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., output_json: _Optional[bytes] = ..., error: _Optional[_Union[DryRunError, _Mapping]] = ...) -> None: ...

class DryRunError(_message.Message):
    __slots__ = ("type", "message")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class DryRunWay(_message.Message):
    __slots__ = ("choices", "end", "error_type", "error_message", "error_task_id", "duration", "call_count", "calls", "cost_micros", "reserved_tokens")
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    choices: _containers.RepeatedCompositeFieldContainer[DryRunChoice]
    end: DryRunEnd
    error_type: str
    error_message: str
    error_task_id: str
    duration: _duration_pb2.Duration
    call_count: int
    calls: _containers.RepeatedCompositeFieldContainer[DryRunCall]
    cost_micros: int
    reserved_tokens: int
    def __init__(self, choices: _Optional[_Iterable[_Union[DryRunChoice, _Mapping]]] = ..., end: _Optional[_Union[DryRunEnd, str]] = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., error_task_id: _Optional[str] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., call_count: _Optional[int] = ..., calls: _Optional[_Iterable[_Union[DryRunCall, _Mapping]]] = ..., cost_micros: _Optional[int] = ..., reserved_tokens: _Optional[int] = ...) -> None: ...

class DryRunChoice(_message.Message):
    __slots__ = ("about", "taken")
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    about: str
    taken: str
    def __init__(self, about: _Optional[str] = ..., taken: _Optional[str] = ...) -> None: ...

class DryRunCall(_message.Message):
    __slots__ = ("task_path", "type", "attempt", "input_json")
    TASK_PATH_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    task_path: str
    type: str
    attempt: int
    input_json: bytes
    def __init__(self, task_path: _Optional[str] = ..., type: _Optional[str] = ..., attempt: _Optional[int] = ..., input_json: _Optional[bytes] = ...) -> None: ...

class DryRunTask(_message.Message):
    __slots__ = ("task_id", "type", "way_count", "max_call_count")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    WAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    type: str
    way_count: int
    max_call_count: int
    def __init__(self, task_id: _Optional[str] = ..., type: _Optional[str] = ..., way_count: _Optional[int] = ..., max_call_count: _Optional[int] = ...) -> None: ...

class DryRunTarget(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: DryRunTargetKind
    name: str
    def __init__(self, kind: _Optional[_Union[DryRunTargetKind, str]] = ..., name: _Optional[str] = ...) -> None: ...

class DryRunAssumption(_message.Message):
    __slots__ = ("place", "text")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    place: str
    text: str
    def __init__(self, place: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class DryRunEstimate(_message.Message):
    __slots__ = ("min_cost_micros", "max_cost_micros", "min_tokens", "max_tokens", "unpriced_models", "unsized_task_ids", "uncounted_task_ids")
    MIN_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    MIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_MODELS_FIELD_NUMBER: _ClassVar[int]
    UNSIZED_TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    UNCOUNTED_TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    min_cost_micros: int
    max_cost_micros: int
    min_tokens: int
    max_tokens: int
    unpriced_models: _containers.RepeatedScalarFieldContainer[str]
    unsized_task_ids: _containers.RepeatedScalarFieldContainer[str]
    uncounted_task_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, min_cost_micros: _Optional[int] = ..., max_cost_micros: _Optional[int] = ..., min_tokens: _Optional[int] = ..., max_tokens: _Optional[int] = ..., unpriced_models: _Optional[_Iterable[str]] = ..., unsized_task_ids: _Optional[_Iterable[str]] = ..., uncounted_task_ids: _Optional[_Iterable[str]] = ...) -> None: ...
