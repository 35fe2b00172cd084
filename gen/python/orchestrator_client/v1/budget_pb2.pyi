from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BudgetScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_SCOPE_UNSPECIFIED: _ClassVar[BudgetScope]
    BUDGET_SCOPE_RUN: _ClassVar[BudgetScope]
    BUDGET_SCOPE_FLOW: _ClassVar[BudgetScope]
    BUDGET_SCOPE_TENANT: _ClassVar[BudgetScope]

class UsageGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_GROUP_UNSPECIFIED: _ClassVar[UsageGroup]
    USAGE_GROUP_FLOW: _ClassVar[UsageGroup]
    USAGE_GROUP_MODEL: _ClassVar[UsageGroup]
    USAGE_GROUP_USER: _ClassVar[UsageGroup]
    USAGE_GROUP_DAY: _ClassVar[UsageGroup]
    USAGE_GROUP_RUN: _ClassVar[UsageGroup]
BUDGET_SCOPE_UNSPECIFIED: BudgetScope
BUDGET_SCOPE_RUN: BudgetScope
BUDGET_SCOPE_FLOW: BudgetScope
BUDGET_SCOPE_TENANT: BudgetScope
USAGE_GROUP_UNSPECIFIED: UsageGroup
USAGE_GROUP_FLOW: UsageGroup
USAGE_GROUP_MODEL: UsageGroup
USAGE_GROUP_USER: UsageGroup
USAGE_GROUP_DAY: UsageGroup
USAGE_GROUP_RUN: UsageGroup

class Budget(_message.Message):
    __slots__ = ("budget_id", "tenant_id", "max_cost_micros", "max_tokens", "settled_cost_micros", "settled_tokens", "reserved_cost_micros", "reserved_tokens", "waiting_run_count", "actor", "reason", "update_time", "max_step_count", "max_time", "settled_step_count", "settled_time", "reserved_step_count", "reserved_time")
    BUDGET_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    WAITING_RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTLED_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_TIME_FIELD_NUMBER: _ClassVar[int]
    RESERVED_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESERVED_TIME_FIELD_NUMBER: _ClassVar[int]
    budget_id: str
    tenant_id: str
    max_cost_micros: int
    max_tokens: int
    settled_cost_micros: int
    settled_tokens: int
    reserved_cost_micros: int
    reserved_tokens: int
    waiting_run_count: int
    actor: str
    reason: str
    update_time: _timestamp_pb2.Timestamp
    max_step_count: int
    max_time: _duration_pb2.Duration
    settled_step_count: int
    settled_time: _duration_pb2.Duration
    reserved_step_count: int
    reserved_time: _duration_pb2.Duration
    def __init__(self, budget_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., max_cost_micros: _Optional[int] = ..., max_tokens: _Optional[int] = ..., settled_cost_micros: _Optional[int] = ..., settled_tokens: _Optional[int] = ..., reserved_cost_micros: _Optional[int] = ..., reserved_tokens: _Optional[int] = ..., waiting_run_count: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., max_step_count: _Optional[int] = ..., max_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., settled_step_count: _Optional[int] = ..., settled_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reserved_step_count: _Optional[int] = ..., reserved_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class UsageLine(_message.Message):
    __slots__ = ("flow_id", "model", "user_id", "day", "run_id", "call_count", "input_tokens", "output_tokens", "cost_micros", "estimated_call_count", "unpriced_call_count")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNPRICED_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    model: str
    user_id: str
    day: str
    run_id: str
    call_count: int
    input_tokens: int
    output_tokens: int
    cost_micros: int
    estimated_call_count: int
    unpriced_call_count: int
    def __init__(self, flow_id: _Optional[str] = ..., model: _Optional[str] = ..., user_id: _Optional[str] = ..., day: _Optional[str] = ..., run_id: _Optional[str] = ..., call_count: _Optional[int] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cost_micros: _Optional[int] = ..., estimated_call_count: _Optional[int] = ..., unpriced_call_count: _Optional[int] = ...) -> None: ...
