from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import generation_pb2 as _generation_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GoalPriority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOAL_PRIORITY_UNSPECIFIED: _ClassVar[GoalPriority]
    GOAL_PRIORITY_LOW: _ClassVar[GoalPriority]
    GOAL_PRIORITY_MEDIUM: _ClassVar[GoalPriority]
    GOAL_PRIORITY_HIGH: _ClassVar[GoalPriority]
    GOAL_PRIORITY_CRITICAL: _ClassVar[GoalPriority]

class GoalStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOAL_STATUS_UNSPECIFIED: _ClassVar[GoalStatus]
    GOAL_STATUS_PENDING: _ClassVar[GoalStatus]
    GOAL_STATUS_PROCESSING: _ClassVar[GoalStatus]
    GOAL_STATUS_COMPLETED: _ClassVar[GoalStatus]
    GOAL_STATUS_FAILED: _ClassVar[GoalStatus]
    GOAL_STATUS_CANCELLED: _ClassVar[GoalStatus]
GOAL_PRIORITY_UNSPECIFIED: GoalPriority
GOAL_PRIORITY_LOW: GoalPriority
GOAL_PRIORITY_MEDIUM: GoalPriority
GOAL_PRIORITY_HIGH: GoalPriority
GOAL_PRIORITY_CRITICAL: GoalPriority
GOAL_STATUS_UNSPECIFIED: GoalStatus
GOAL_STATUS_PENDING: GoalStatus
GOAL_STATUS_PROCESSING: GoalStatus
GOAL_STATUS_COMPLETED: GoalStatus
GOAL_STATUS_FAILED: GoalStatus
GOAL_STATUS_CANCELLED: GoalStatus

class Goal(_message.Message):
    __slots__ = ("goal_id", "tenant_id", "goal", "status", "pending_reason", "priority", "constraints", "acceptance_criteria", "budget", "context", "context_json", "create_time", "update_time", "plan", "error")
    GOAL_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PENDING_REASON_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCE_CRITERIA_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    goal_id: str
    tenant_id: str
    goal: str
    status: GoalStatus
    pending_reason: str
    priority: GoalPriority
    constraints: _containers.RepeatedScalarFieldContainer[str]
    acceptance_criteria: _containers.RepeatedScalarFieldContainer[str]
    budget: GoalBudget
    context: _struct_pb2.Struct
    context_json: bytes
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    plan: GoalPlan
    error: _run_pb2.RunError
    def __init__(self, goal_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., goal: _Optional[str] = ..., status: _Optional[_Union[GoalStatus, str]] = ..., pending_reason: _Optional[str] = ..., priority: _Optional[_Union[GoalPriority, str]] = ..., constraints: _Optional[_Iterable[str]] = ..., acceptance_criteria: _Optional[_Iterable[str]] = ..., budget: _Optional[_Union[GoalBudget, _Mapping]] = ..., context: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., context_json: _Optional[bytes] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., plan: _Optional[_Union[GoalPlan, _Mapping]] = ..., error: _Optional[_Union[_run_pb2.RunError, _Mapping]] = ...) -> None: ...

class GoalPlan(_message.Message):
    __slots__ = ("work_run_id", "text", "plan_hash", "estimate", "approval_id", "run_id", "waiting_reason")
    WORK_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PLAN_HASH_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    work_run_id: str
    text: str
    plan_hash: str
    estimate: _generation_pb2.GenerationEstimate
    approval_id: str
    run_id: str
    waiting_reason: str
    def __init__(self, work_run_id: _Optional[str] = ..., text: _Optional[str] = ..., plan_hash: _Optional[str] = ..., estimate: _Optional[_Union[_generation_pb2.GenerationEstimate, _Mapping]] = ..., approval_id: _Optional[str] = ..., run_id: _Optional[str] = ..., waiting_reason: _Optional[str] = ...) -> None: ...

class GoalBudget(_message.Message):
    __slots__ = ("max_cost_micros", "max_time", "max_tokens")
    MAX_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    max_cost_micros: int
    max_time: _duration_pb2.Duration
    max_tokens: int
    def __init__(self, max_cost_micros: _Optional[int] = ..., max_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_tokens: _Optional[int] = ...) -> None: ...
