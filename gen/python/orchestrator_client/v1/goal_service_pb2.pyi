from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import goal_pb2 as _goal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitGoalRequest(_message.Message):
    __slots__ = ("goal", "constraints", "acceptance_criteria", "priority", "budget", "context", "context_json", "request_id", "goal_id", "read_mask")
    GOAL_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCE_CRITERIA_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_JSON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    GOAL_ID_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    goal: str
    constraints: _containers.RepeatedScalarFieldContainer[str]
    acceptance_criteria: _containers.RepeatedScalarFieldContainer[str]
    priority: _goal_pb2.GoalPriority
    budget: _goal_pb2.GoalBudget
    context: _struct_pb2.Struct
    context_json: bytes
    request_id: str
    goal_id: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, goal: _Optional[str] = ..., constraints: _Optional[_Iterable[str]] = ..., acceptance_criteria: _Optional[_Iterable[str]] = ..., priority: _Optional[_Union[_goal_pb2.GoalPriority, str]] = ..., budget: _Optional[_Union[_goal_pb2.GoalBudget, _Mapping]] = ..., context: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., context_json: _Optional[bytes] = ..., request_id: _Optional[str] = ..., goal_id: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class SubmitGoalResponse(_message.Message):
    __slots__ = ("goal",)
    GOAL_FIELD_NUMBER: _ClassVar[int]
    goal: _goal_pb2.Goal
    def __init__(self, goal: _Optional[_Union[_goal_pb2.Goal, _Mapping]] = ...) -> None: ...

class GetGoalRequest(_message.Message):
    __slots__ = ("goal_id", "read_mask")
    GOAL_ID_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    goal_id: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, goal_id: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetGoalResponse(_message.Message):
    __slots__ = ("goal",)
    GOAL_FIELD_NUMBER: _ClassVar[int]
    goal: _goal_pb2.Goal
    def __init__(self, goal: _Optional[_Union[_goal_pb2.Goal, _Mapping]] = ...) -> None: ...

class ListGoalsRequest(_message.Message):
    __slots__ = ("status", "page_size", "page_token")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    status: _goal_pb2.GoalStatus
    page_size: int
    page_token: str
    def __init__(self, status: _Optional[_Union[_goal_pb2.GoalStatus, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListGoalsResponse(_message.Message):
    __slots__ = ("goals", "next_page_token")
    GOALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    goals: _containers.RepeatedCompositeFieldContainer[_goal_pb2.Goal]
    next_page_token: str
    def __init__(self, goals: _Optional[_Iterable[_Union[_goal_pb2.Goal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchGoalRequest(_message.Message):
    __slots__ = ("goal_id",)
    GOAL_ID_FIELD_NUMBER: _ClassVar[int]
    goal_id: str
    def __init__(self, goal_id: _Optional[str] = ...) -> None: ...

class WatchGoalResponse(_message.Message):
    __slots__ = ("goal", "heartbeat")
    GOAL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    goal: _goal_pb2.Goal
    heartbeat: GoalHeartbeat
    def __init__(self, goal: _Optional[_Union[_goal_pb2.Goal, _Mapping]] = ..., heartbeat: _Optional[_Union[GoalHeartbeat, _Mapping]] = ...) -> None: ...

class GoalHeartbeat(_message.Message):
    __slots__ = ("server_time",)
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, server_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
