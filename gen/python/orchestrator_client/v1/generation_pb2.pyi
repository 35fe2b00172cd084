from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import flow_pb2 as _flow_pb2
from orchestrator_client.v1 import flow_dry_run_pb2 as _flow_dry_run_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENERATION_STATUS_UNSPECIFIED: _ClassVar[GenerationStatus]
    GENERATION_STATUS_GENERATING: _ClassVar[GenerationStatus]
    GENERATION_STATUS_DRAFT: _ClassVar[GenerationStatus]
    GENERATION_STATUS_APPROVED: _ClassVar[GenerationStatus]
    GENERATION_STATUS_REJECTED: _ClassVar[GenerationStatus]
    GENERATION_STATUS_FAILED: _ClassVar[GenerationStatus]

class GenerationComplexity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENERATION_COMPLEXITY_UNSPECIFIED: _ClassVar[GenerationComplexity]
    GENERATION_COMPLEXITY_LOW: _ClassVar[GenerationComplexity]
    GENERATION_COMPLEXITY_MEDIUM: _ClassVar[GenerationComplexity]
    GENERATION_COMPLEXITY_HIGH: _ClassVar[GenerationComplexity]
GENERATION_STATUS_UNSPECIFIED: GenerationStatus
GENERATION_STATUS_GENERATING: GenerationStatus
GENERATION_STATUS_DRAFT: GenerationStatus
GENERATION_STATUS_APPROVED: GenerationStatus
GENERATION_STATUS_REJECTED: GenerationStatus
GENERATION_STATUS_FAILED: GenerationStatus
GENERATION_COMPLEXITY_UNSPECIFIED: GenerationComplexity
GENERATION_COMPLEXITY_LOW: GenerationComplexity
GENERATION_COMPLEXITY_MEDIUM: GenerationComplexity
GENERATION_COMPLEXITY_HIGH: GenerationComplexity

class Generation(_message.Message):
    __slots__ = ("generation_id", "tenant_id", "status", "prompt", "domain", "complexity", "required_services", "draft", "draft_hash", "template_id", "problems", "estimate", "tries", "cost_micros", "used_tokens", "waiting_reason", "error", "decided_by", "comment", "decide_time", "create_time", "update_time")
    GENERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    COMPLEXITY_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_SERVICES_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    DRAFT_HASH_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    TRIES_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    USED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    generation_id: str
    tenant_id: str
    status: GenerationStatus
    prompt: str
    domain: str
    complexity: GenerationComplexity
    required_services: _containers.RepeatedScalarFieldContainer[str]
    draft: str
    draft_hash: str
    template_id: str
    problems: _containers.RepeatedCompositeFieldContainer[_flow_pb2.FlowProblem]
    estimate: GenerationEstimate
    tries: int
    cost_micros: int
    used_tokens: int
    waiting_reason: str
    error: _run_pb2.RunError
    decided_by: str
    comment: str
    decide_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, generation_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., status: _Optional[_Union[GenerationStatus, str]] = ..., prompt: _Optional[str] = ..., domain: _Optional[str] = ..., complexity: _Optional[_Union[GenerationComplexity, str]] = ..., required_services: _Optional[_Iterable[str]] = ..., draft: _Optional[str] = ..., draft_hash: _Optional[str] = ..., template_id: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[_flow_pb2.FlowProblem, _Mapping]]] = ..., estimate: _Optional[_Union[GenerationEstimate, _Mapping]] = ..., tries: _Optional[int] = ..., cost_micros: _Optional[int] = ..., used_tokens: _Optional[int] = ..., waiting_reason: _Optional[str] = ..., error: _Optional[_Union[_run_pb2.RunError, _Mapping]] = ..., decided_by: _Optional[str] = ..., comment: _Optional[str] = ..., decide_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GenerationEstimate(_message.Message):
    __slots__ = ("reaches", "ways", "is_cut", "most_calls", "models", "lower_bound", "assumptions")
    REACHES_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    MOST_CALLS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    ASSUMPTIONS_FIELD_NUMBER: _ClassVar[int]
    reaches: _containers.RepeatedScalarFieldContainer[str]
    ways: int
    is_cut: bool
    most_calls: int
    models: _flow_dry_run_pb2.DryRunEstimate
    lower_bound: bool
    assumptions: _containers.RepeatedCompositeFieldContainer[_flow_dry_run_pb2.DryRunAssumption]
    def __init__(self, reaches: _Optional[_Iterable[str]] = ..., ways: _Optional[int] = ..., is_cut: bool = ..., most_calls: _Optional[int] = ..., models: _Optional[_Union[_flow_dry_run_pb2.DryRunEstimate, _Mapping]] = ..., lower_bound: bool = ..., assumptions: _Optional[_Iterable[_Union[_flow_dry_run_pb2.DryRunAssumption, _Mapping]]] = ...) -> None: ...
