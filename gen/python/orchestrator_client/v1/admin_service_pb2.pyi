from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import run_event_pb2 as _run_event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetLogLevelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetLogLevelsResponse(_message.Message):
    __slots__ = ("instances", "silent_instance_count")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    SILENT_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[InstanceLogLevels]
    silent_instance_count: int
    def __init__(self, instances: _Optional[_Iterable[_Union[InstanceLogLevels, _Mapping]]] = ..., silent_instance_count: _Optional[int] = ...) -> None: ...

class SetLogLevelRequest(_message.Message):
    __slots__ = ("level", "component", "duration", "instance_id", "reason", "request_id")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    level: _run_event_pb2.LogLevel
    component: str
    duration: _duration_pb2.Duration
    instance_id: str
    reason: str
    request_id: str
    def __init__(self, level: _Optional[_Union[_run_event_pb2.LogLevel, str]] = ..., component: _Optional[str] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., instance_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SetLogLevelResponse(_message.Message):
    __slots__ = ("instances", "silent_instance_count")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    SILENT_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[InstanceLogLevels]
    silent_instance_count: int
    def __init__(self, instances: _Optional[_Iterable[_Union[InstanceLogLevels, _Mapping]]] = ..., silent_instance_count: _Optional[int] = ...) -> None: ...

class GetDiagnosticsRequest(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    def __init__(self, instance_id: _Optional[str] = ...) -> None: ...

class GetDiagnosticsResponse(_message.Message):
    __slots__ = ("instance_id", "known_instance_ids", "files")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    KNOWN_INSTANCE_IDS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    known_instance_ids: _containers.RepeatedScalarFieldContainer[str]
    files: _containers.RepeatedCompositeFieldContainer[DiagnosticFile]
    def __init__(self, instance_id: _Optional[str] = ..., known_instance_ids: _Optional[_Iterable[str]] = ..., files: _Optional[_Iterable[_Union[DiagnosticFile, _Mapping]]] = ...) -> None: ...

class InstanceLogLevels(_message.Message):
    __slots__ = ("instance_id", "configured_level", "overrides")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_LEVEL_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    configured_level: _run_event_pb2.LogLevel
    overrides: _containers.RepeatedCompositeFieldContainer[LogLevelOverride]
    def __init__(self, instance_id: _Optional[str] = ..., configured_level: _Optional[_Union[_run_event_pb2.LogLevel, str]] = ..., overrides: _Optional[_Iterable[_Union[LogLevelOverride, _Mapping]]] = ...) -> None: ...

class LogLevelOverride(_message.Message):
    __slots__ = ("component", "level", "expire_time", "actor", "reason")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    component: str
    level: _run_event_pb2.LogLevel
    expire_time: _timestamp_pb2.Timestamp
    actor: str
    reason: str
    def __init__(self, component: _Optional[str] = ..., level: _Optional[_Union[_run_event_pb2.LogLevel, str]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DiagnosticFile(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: str
    def __init__(self, name: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...
