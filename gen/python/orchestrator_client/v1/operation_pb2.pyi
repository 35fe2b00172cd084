from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import run_pb2 as _run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OperationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_STATE_UNSPECIFIED: _ClassVar[OperationState]
    OPERATION_STATE_RUNNING: _ClassVar[OperationState]
    OPERATION_STATE_CANCELING: _ClassVar[OperationState]
    OPERATION_STATE_COMPLETED: _ClassVar[OperationState]
    OPERATION_STATE_CANCELED: _ClassVar[OperationState]
    OPERATION_STATE_FAILED: _ClassVar[OperationState]
    OPERATION_STATE_QUARANTINED: _ClassVar[OperationState]

class OperationAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_ACTION_UNSPECIFIED: _ClassVar[OperationAction]
    OPERATION_ACTION_CANCEL: _ClassVar[OperationAction]
    OPERATION_ACTION_TERMINATE: _ClassVar[OperationAction]
    OPERATION_ACTION_RESUME: _ClassVar[OperationAction]
    OPERATION_ACTION_DELETE: _ClassVar[OperationAction]
OPERATION_STATE_UNSPECIFIED: OperationState
OPERATION_STATE_RUNNING: OperationState
OPERATION_STATE_CANCELING: OperationState
OPERATION_STATE_COMPLETED: OperationState
OPERATION_STATE_CANCELED: OperationState
OPERATION_STATE_FAILED: OperationState
OPERATION_STATE_QUARANTINED: OperationState
OPERATION_ACTION_UNSPECIFIED: OperationAction
OPERATION_ACTION_CANCEL: OperationAction
OPERATION_ACTION_TERMINATE: OperationAction
OPERATION_ACTION_RESUME: OperationAction
OPERATION_ACTION_DELETE: OperationAction

class Operation(_message.Message):
    __slots__ = ("operation_id", "tenant_id", "state", "action", "filter", "reason", "compensate", "hold_kinds", "matched_count", "done_count", "failed_count", "failures", "problem", "started_by", "create_time", "update_time", "end_time", "damage")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMPENSATE_FIELD_NUMBER: _ClassVar[int]
    HOLD_KINDS_FIELD_NUMBER: _ClassVar[int]
    MATCHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DONE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STARTED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    tenant_id: str
    state: OperationState
    action: OperationAction
    filter: str
    reason: str
    compensate: bool
    hold_kinds: _containers.RepeatedScalarFieldContainer[_run_pb2.HoldKind]
    matched_count: int
    done_count: int
    failed_count: int
    failures: _containers.RepeatedCompositeFieldContainer[OperationFailure]
    problem: str
    started_by: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    damage: str
    def __init__(self, operation_id: _Optional[str] = ..., tenant_id: _Optional[str] = ..., state: _Optional[_Union[OperationState, str]] = ..., action: _Optional[_Union[OperationAction, str]] = ..., filter: _Optional[str] = ..., reason: _Optional[str] = ..., compensate: bool = ..., hold_kinds: _Optional[_Iterable[_Union[_run_pb2.HoldKind, str]]] = ..., matched_count: _Optional[int] = ..., done_count: _Optional[int] = ..., failed_count: _Optional[int] = ..., failures: _Optional[_Iterable[_Union[OperationFailure, _Mapping]]] = ..., problem: _Optional[str] = ..., started_by: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., damage: _Optional[str] = ...) -> None: ...

class OperationFailure(_message.Message):
    __slots__ = ("run_id", "reason", "message")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    message: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
