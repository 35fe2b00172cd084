from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from orchestrator_client.v1 import flow_pb2 as _flow_pb2
from orchestrator_client.v1 import flow_dry_run_pb2 as _flow_dry_run_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterFlowRequest(_message.Message):
    __slots__ = ("source", "document_json", "document", "validate_only", "request_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_JSON_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    source: str
    document_json: bytes
    document: _struct_pb2.Struct
    validate_only: bool
    request_id: str
    def __init__(self, source: _Optional[str] = ..., document_json: _Optional[bytes] = ..., document: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., validate_only: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class RegisterFlowResponse(_message.Message):
    __slots__ = ("flow", "created", "problems", "warnings")
    FLOW_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    flow: _flow_pb2.Flow
    created: bool
    problems: _containers.RepeatedCompositeFieldContainer[_flow_pb2.FlowProblem]
    warnings: _containers.RepeatedCompositeFieldContainer[_flow_pb2.FlowWarning]
    def __init__(self, flow: _Optional[_Union[_flow_pb2.Flow, _Mapping]] = ..., created: bool = ..., problems: _Optional[_Iterable[_Union[_flow_pb2.FlowProblem, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_flow_pb2.FlowWarning, _Mapping]]] = ...) -> None: ...

class GetFlowRequest(_message.Message):
    __slots__ = ("flow_id", "version", "read_mask")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class GetFlowResponse(_message.Message):
    __slots__ = ("flow",)
    FLOW_FIELD_NUMBER: _ClassVar[int]
    flow: _flow_pb2.Flow
    def __init__(self, flow: _Optional[_Union[_flow_pb2.Flow, _Mapping]] = ...) -> None: ...

class ListFlowsRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFlowsResponse(_message.Message):
    __slots__ = ("flows", "next_page_token")
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    flows: _containers.RepeatedCompositeFieldContainer[_flow_pb2.Flow]
    next_page_token: str
    def __init__(self, flows: _Optional[_Iterable[_Union[_flow_pb2.Flow, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListFlowVersionsRequest(_message.Message):
    __slots__ = ("flow_id", "page_size", "page_token")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    page_size: int
    page_token: str
    def __init__(self, flow_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFlowVersionsResponse(_message.Message):
    __slots__ = ("flows", "next_page_token")
    FLOWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    flows: _containers.RepeatedCompositeFieldContainer[_flow_pb2.Flow]
    next_page_token: str
    def __init__(self, flows: _Optional[_Iterable[_Union[_flow_pb2.Flow, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetFlowGraphRequest(_message.Message):
    __slots__ = ("flow_id", "version")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class GetFlowGraphResponse(_message.Message):
    __slots__ = ("flow_id", "version", "mermaid")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MERMAID_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    mermaid: str
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., mermaid: _Optional[str] = ...) -> None: ...

class DryRunFlowRequest(_message.Message):
    __slots__ = ("source", "document_json", "document", "flow_id", "version", "input", "input_json", "results")
    class ResultsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _flow_dry_run_pb2.DryRunResult
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_flow_dry_run_pb2.DryRunResult, _Mapping]] = ...) -> None: ...
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_JSON_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    source: str
    document_json: bytes
    document: _struct_pb2.Struct
    flow_id: str
    version: str
    input: _struct_pb2.Struct
    input_json: bytes
    results: _containers.MessageMap[str, _flow_dry_run_pb2.DryRunResult]
    def __init__(self, source: _Optional[str] = ..., document_json: _Optional[bytes] = ..., document: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., flow_id: _Optional[str] = ..., version: _Optional[str] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., input_json: _Optional[bytes] = ..., results: _Optional[_Mapping[str, _flow_dry_run_pb2.DryRunResult]] = ...) -> None: ...

class DryRunFlowResponse(_message.Message):
    __slots__ = ("flow_id", "version", "ways", "cut", "tasks", "unreached_task_ids", "targets", "estimate", "assumptions")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    CUT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    UNREACHED_TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    ASSUMPTIONS_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    ways: _containers.RepeatedCompositeFieldContainer[_flow_dry_run_pb2.DryRunWay]
    cut: bool
    tasks: _containers.RepeatedCompositeFieldContainer[_flow_dry_run_pb2.DryRunTask]
    unreached_task_ids: _containers.RepeatedScalarFieldContainer[str]
    targets: _containers.RepeatedCompositeFieldContainer[_flow_dry_run_pb2.DryRunTarget]
    estimate: _flow_dry_run_pb2.DryRunEstimate
    assumptions: _containers.RepeatedCompositeFieldContainer[_flow_dry_run_pb2.DryRunAssumption]
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., ways: _Optional[_Iterable[_Union[_flow_dry_run_pb2.DryRunWay, _Mapping]]] = ..., cut: bool = ..., tasks: _Optional[_Iterable[_Union[_flow_dry_run_pb2.DryRunTask, _Mapping]]] = ..., unreached_task_ids: _Optional[_Iterable[str]] = ..., targets: _Optional[_Iterable[_Union[_flow_dry_run_pb2.DryRunTarget, _Mapping]]] = ..., estimate: _Optional[_Union[_flow_dry_run_pb2.DryRunEstimate, _Mapping]] = ..., assumptions: _Optional[_Iterable[_Union[_flow_dry_run_pb2.DryRunAssumption, _Mapping]]] = ...) -> None: ...

class DeleteFlowVersionRequest(_message.Message):
    __slots__ = ("flow_id", "version", "request_id")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    request_id: str
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteFlowVersionResponse(_message.Message):
    __slots__ = ("flow_id", "version", "delete_time")
    FLOW_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DELETE_TIME_FIELD_NUMBER: _ClassVar[int]
    flow_id: str
    version: str
    delete_time: _timestamp_pb2.Timestamp
    def __init__(self, flow_id: _Optional[str] = ..., version: _Optional[str] = ..., delete_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
