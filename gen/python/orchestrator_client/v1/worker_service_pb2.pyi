from google.protobuf import duration_pb2 as _duration_pb2
from orchestrator_client.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterWorkerRequest(_message.Message):
    __slots__ = ("name", "protocol_version", "sdk", "queues", "handlers", "slots", "labels", "build_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    protocol_version: int
    sdk: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    handlers: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    labels: _containers.ScalarMap[str, str]
    build_id: str
    def __init__(self, name: _Optional[str] = ..., protocol_version: _Optional[int] = ..., sdk: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., handlers: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., build_id: _Optional[str] = ...) -> None: ...

class RegisterWorkerResponse(_message.Message):
    __slots__ = ("session_id", "ack_timeout", "session_timeout", "max_reports", "max_output_bytes")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ACK_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SESSION_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_REPORTS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    ack_timeout: _duration_pb2.Duration
    session_timeout: _duration_pb2.Duration
    max_reports: int
    max_output_bytes: int
    def __init__(self, session_id: _Optional[str] = ..., ack_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., session_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_reports: _Optional[int] = ..., max_output_bytes: _Optional[int] = ...) -> None: ...

class PollTasksRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class PollTasksResponse(_message.Message):
    __slots__ = ("task", "cancellation", "heartbeat", "drain")
    TASK_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    task: _worker_pb2.WorkerTask
    cancellation: TaskCancellation
    heartbeat: PollHeartbeat
    drain: _worker_pb2.WorkerStop
    def __init__(self, task: _Optional[_Union[_worker_pb2.WorkerTask, _Mapping]] = ..., cancellation: _Optional[_Union[TaskCancellation, _Mapping]] = ..., heartbeat: _Optional[_Union[PollHeartbeat, _Mapping]] = ..., drain: _Optional[_Union[_worker_pb2.WorkerStop, _Mapping]] = ...) -> None: ...

class TaskCancellation(_message.Message):
    __slots__ = ("task_token", "reason")
    TASK_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    task_token: str
    reason: str
    def __init__(self, task_token: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PollHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FetchTasksRequest(_message.Message):
    __slots__ = ("session_id", "wait")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    wait: _duration_pb2.Duration
    def __init__(self, session_id: _Optional[str] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FetchTasksResponse(_message.Message):
    __slots__ = ("tasks", "cancellations", "drain")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CANCELLATIONS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_worker_pb2.WorkerTask]
    cancellations: _containers.RepeatedCompositeFieldContainer[TaskCancellation]
    drain: _worker_pb2.WorkerStop
    def __init__(self, tasks: _Optional[_Iterable[_Union[_worker_pb2.WorkerTask, _Mapping]]] = ..., cancellations: _Optional[_Iterable[_Union[TaskCancellation, _Mapping]]] = ..., drain: _Optional[_Union[_worker_pb2.WorkerStop, _Mapping]] = ...) -> None: ...

class ReportTasksRequest(_message.Message):
    __slots__ = ("session_id", "reports", "closing")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    reports: _containers.RepeatedCompositeFieldContainer[_worker_pb2.TaskReport]
    closing: bool
    def __init__(self, session_id: _Optional[str] = ..., reports: _Optional[_Iterable[_Union[_worker_pb2.TaskReport, _Mapping]]] = ..., closing: bool = ...) -> None: ...

class ReportTasksResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_worker_pb2.TaskReportResult]
    def __init__(self, results: _Optional[_Iterable[_Union[_worker_pb2.TaskReportResult, _Mapping]]] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers", "next_page_token", "silent_instance_count")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SILENT_INSTANCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[_worker_pb2.Worker]
    next_page_token: str
    silent_instance_count: int
    def __init__(self, workers: _Optional[_Iterable[_Union[_worker_pb2.Worker, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., silent_instance_count: _Optional[int] = ...) -> None: ...

class DrainWorkerRequest(_message.Message):
    __slots__ = ("worker_id", "reason", "request_id")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    reason: str
    request_id: str
    def __init__(self, worker_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DrainWorkerResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: _worker_pb2.Worker
    def __init__(self, worker: _Optional[_Union[_worker_pb2.Worker, _Mapping]] = ...) -> None: ...
