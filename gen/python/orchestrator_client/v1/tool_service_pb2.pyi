from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import breaker_pb2 as _breaker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceRetry(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_RETRY_UNSPECIFIED: _ClassVar[ServiceRetry]
    SERVICE_RETRY_TASK: _ClassVar[ServiceRetry]
    SERVICE_RETRY_SAFE: _ClassVar[ServiceRetry]
    SERVICE_RETRY_NEVER: _ClassVar[ServiceRetry]

class NamedServiceSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NAMED_SERVICE_SOURCE_UNSPECIFIED: _ClassVar[NamedServiceSource]
    NAMED_SERVICE_SOURCE_CONFIGURATION: _ClassVar[NamedServiceSource]
    NAMED_SERVICE_SOURCE_REGISTRY: _ClassVar[NamedServiceSource]
    NAMED_SERVICE_SOURCE_CALL: _ClassVar[NamedServiceSource]

class ServiceRegistryState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_REGISTRY_STATE_UNSPECIFIED: _ClassVar[ServiceRegistryState]
    SERVICE_REGISTRY_STATE_ACTIVE: _ClassVar[ServiceRegistryState]
    SERVICE_REGISTRY_STATE_STALE: _ClassVar[ServiceRegistryState]
    SERVICE_REGISTRY_STATE_UNAVAILABLE: _ClassVar[ServiceRegistryState]

class ServiceRegistryOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_REGISTRY_ORIGIN_UNSPECIFIED: _ClassVar[ServiceRegistryOrigin]
    SERVICE_REGISTRY_ORIGIN_REGISTRY: _ClassVar[ServiceRegistryOrigin]
    SERVICE_REGISTRY_ORIGIN_DISK: _ClassVar[ServiceRegistryOrigin]
SERVICE_RETRY_UNSPECIFIED: ServiceRetry
SERVICE_RETRY_TASK: ServiceRetry
SERVICE_RETRY_SAFE: ServiceRetry
SERVICE_RETRY_NEVER: ServiceRetry
NAMED_SERVICE_SOURCE_UNSPECIFIED: NamedServiceSource
NAMED_SERVICE_SOURCE_CONFIGURATION: NamedServiceSource
NAMED_SERVICE_SOURCE_REGISTRY: NamedServiceSource
NAMED_SERVICE_SOURCE_CALL: NamedServiceSource
SERVICE_REGISTRY_STATE_UNSPECIFIED: ServiceRegistryState
SERVICE_REGISTRY_STATE_ACTIVE: ServiceRegistryState
SERVICE_REGISTRY_STATE_STALE: ServiceRegistryState
SERVICE_REGISTRY_STATE_UNAVAILABLE: ServiceRegistryState
SERVICE_REGISTRY_ORIGIN_UNSPECIFIED: ServiceRegistryOrigin
SERVICE_REGISTRY_ORIGIN_REGISTRY: ServiceRegistryOrigin
SERVICE_REGISTRY_ORIGIN_DISK: ServiceRegistryOrigin

class ListServicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token", "registry")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[NamedService]
    next_page_token: str
    registry: ServiceRegistry
    def __init__(self, services: _Optional[_Iterable[_Union[NamedService, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., registry: _Optional[_Union[ServiceRegistry, _Mapping]] = ...) -> None: ...

class NamedService(_message.Message):
    __slots__ = ("name", "url", "source", "reachable", "last_call_time", "entry", "header_names", "hidden", "etag", "update_time", "actor", "change_reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    LAST_CALL_TIME_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    HEADER_NAMES_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    url: str
    source: NamedServiceSource
    reachable: bool
    last_call_time: _timestamp_pb2.Timestamp
    entry: ServiceEntry
    header_names: _containers.RepeatedScalarFieldContainer[str]
    hidden: bool
    etag: str
    update_time: _timestamp_pb2.Timestamp
    actor: str
    change_reason: str
    def __init__(self, name: _Optional[str] = ..., url: _Optional[str] = ..., source: _Optional[_Union[NamedServiceSource, str]] = ..., reachable: bool = ..., last_call_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., entry: _Optional[_Union[ServiceEntry, _Mapping]] = ..., header_names: _Optional[_Iterable[str]] = ..., hidden: bool = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., change_reason: _Optional[str] = ...) -> None: ...

class ServiceEntry(_message.Message):
    __slots__ = ("url", "timeout", "retry", "breaker_failures", "breaker_open", "breaker_max_open", "max_concurrent", "max_queued", "health_path", "limit")
    URL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FAILURES_FIELD_NUMBER: _ClassVar[int]
    BREAKER_OPEN_FIELD_NUMBER: _ClassVar[int]
    BREAKER_MAX_OPEN_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    HEALTH_PATH_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    url: str
    timeout: _duration_pb2.Duration
    retry: ServiceRetry
    breaker_failures: int
    breaker_open: _duration_pb2.Duration
    breaker_max_open: _duration_pb2.Duration
    max_concurrent: int
    max_queued: int
    health_path: str
    limit: str
    def __init__(self, url: _Optional[str] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[ServiceRetry, str]] = ..., breaker_failures: _Optional[int] = ..., breaker_open: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., breaker_max_open: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_concurrent: _Optional[int] = ..., max_queued: _Optional[int] = ..., health_path: _Optional[str] = ..., limit: _Optional[str] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetServiceResponse(_message.Message):
    __slots__ = ("service", "hidden_services")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_SERVICES_FIELD_NUMBER: _ClassVar[int]
    service: NamedService
    hidden_services: _containers.RepeatedCompositeFieldContainer[NamedService]
    def __init__(self, service: _Optional[_Union[NamedService, _Mapping]] = ..., hidden_services: _Optional[_Iterable[_Union[NamedService, _Mapping]]] = ...) -> None: ...

class PutServiceRequest(_message.Message):
    __slots__ = ("name", "entry", "etag", "change_reason", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    entry: ServiceEntry
    etag: str
    change_reason: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., entry: _Optional[_Union[ServiceEntry, _Mapping]] = ..., etag: _Optional[str] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PutServiceResponse(_message.Message):
    __slots__ = ("service", "created")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    service: NamedService
    created: bool
    def __init__(self, service: _Optional[_Union[NamedService, _Mapping]] = ..., created: bool = ...) -> None: ...

class DeleteServiceRequest(_message.Message):
    __slots__ = ("name", "etag", "change_reason", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    change_reason: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteServiceResponse(_message.Message):
    __slots__ = ("was_put",)
    WAS_PUT_FIELD_NUMBER: _ClassVar[int]
    was_put: bool
    def __init__(self, was_put: bool = ...) -> None: ...

class ServiceRegistry(_message.Message):
    __slots__ = ("url", "state", "served_from", "succeeded_sync_count", "failed_sync_count", "sync_time", "sync_duration", "age", "skipped_count", "problem")
    URL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVED_FROM_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_SYNC_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_SYNC_COUNT_FIELD_NUMBER: _ClassVar[int]
    SYNC_TIME_FIELD_NUMBER: _ClassVar[int]
    SYNC_DURATION_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    url: str
    state: ServiceRegistryState
    served_from: ServiceRegistryOrigin
    succeeded_sync_count: int
    failed_sync_count: int
    sync_time: _timestamp_pb2.Timestamp
    sync_duration: _duration_pb2.Duration
    age: _duration_pb2.Duration
    skipped_count: int
    problem: str
    def __init__(self, url: _Optional[str] = ..., state: _Optional[_Union[ServiceRegistryState, str]] = ..., served_from: _Optional[_Union[ServiceRegistryOrigin, str]] = ..., succeeded_sync_count: _Optional[int] = ..., failed_sync_count: _Optional[int] = ..., sync_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., sync_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., skipped_count: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class ListBreakersRequest(_message.Message):
    __slots__ = ("service", "origin", "flow_id", "page_size", "page_token")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    service: str
    origin: str
    flow_id: str
    page_size: int
    page_token: str
    def __init__(self, service: _Optional[str] = ..., origin: _Optional[str] = ..., flow_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBreakersResponse(_message.Message):
    __slots__ = ("breakers", "next_page_token", "silent_instance_count")
    BREAKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SILENT_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    breakers: _containers.RepeatedCompositeFieldContainer[_breaker_pb2.Breaker]
    next_page_token: str
    silent_instance_count: int
    def __init__(self, breakers: _Optional[_Iterable[_Union[_breaker_pb2.Breaker, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., silent_instance_count: _Optional[int] = ...) -> None: ...

class ResetBreakersRequest(_message.Message):
    __slots__ = ("service", "origin", "flow_id", "task", "change_reason", "request_id")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    service: str
    origin: str
    flow_id: str
    task: str
    change_reason: str
    request_id: str
    def __init__(self, service: _Optional[str] = ..., origin: _Optional[str] = ..., flow_id: _Optional[str] = ..., task: _Optional[str] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ResetBreakersResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListToolOverridesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListToolOverridesResponse(_message.Message):
    __slots__ = ("overrides", "next_page_token")
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    overrides: _containers.RepeatedCompositeFieldContainer[_breaker_pb2.ToolOverride]
    next_page_token: str
    def __init__(self, overrides: _Optional[_Iterable[_Union[_breaker_pb2.ToolOverride, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PutToolOverrideRequest(_message.Message):
    __slots__ = ("service", "origin", "flow_id", "task", "breaker", "max_concurrent", "max_queued", "expire_time", "change_reason", "request_id", "model", "any_target")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ANY_TARGET_FIELD_NUMBER: _ClassVar[int]
    service: str
    origin: str
    flow_id: str
    task: str
    breaker: _breaker_pb2.ForcedBreaker
    max_concurrent: int
    max_queued: int
    expire_time: _timestamp_pb2.Timestamp
    change_reason: str
    request_id: str
    model: str
    any_target: bool
    def __init__(self, service: _Optional[str] = ..., origin: _Optional[str] = ..., flow_id: _Optional[str] = ..., task: _Optional[str] = ..., breaker: _Optional[_Union[_breaker_pb2.ForcedBreaker, str]] = ..., max_concurrent: _Optional[int] = ..., max_queued: _Optional[int] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ..., model: _Optional[str] = ..., any_target: bool = ...) -> None: ...

class PutToolOverrideResponse(_message.Message):
    __slots__ = ("override",)
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    override: _breaker_pb2.ToolOverride
    def __init__(self, override: _Optional[_Union[_breaker_pb2.ToolOverride, _Mapping]] = ...) -> None: ...

class LiftToolOverrideRequest(_message.Message):
    __slots__ = ("service", "origin", "flow_id", "task", "change_reason", "request_id", "model", "any_target")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ANY_TARGET_FIELD_NUMBER: _ClassVar[int]
    service: str
    origin: str
    flow_id: str
    task: str
    change_reason: str
    request_id: str
    model: str
    any_target: bool
    def __init__(self, service: _Optional[str] = ..., origin: _Optional[str] = ..., flow_id: _Optional[str] = ..., task: _Optional[str] = ..., change_reason: _Optional[str] = ..., request_id: _Optional[str] = ..., model: _Optional[str] = ..., any_target: bool = ...) -> None: ...

class LiftToolOverrideResponse(_message.Message):
    __slots__ = ("was_in_force",)
    WAS_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    was_in_force: bool
    def __init__(self, was_in_force: bool = ...) -> None: ...
