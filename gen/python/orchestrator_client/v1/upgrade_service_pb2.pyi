from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpgradeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPGRADE_STATE_UNSPECIFIED: _ClassVar[UpgradeState]
    UPGRADE_STATE_FINALIZED: _ClassVar[UpgradeState]
    UPGRADE_STATE_INCOMPLETE: _ClassVar[UpgradeState]
    UPGRADE_STATE_READY: _ClassVar[UpgradeState]
UPGRADE_STATE_UNSPECIFIED: UpgradeState
UPGRADE_STATE_FINALIZED: UpgradeState
UPGRADE_STATE_INCOMPLETE: UpgradeState
UPGRADE_STATE_READY: UpgradeState

class InstanceRelease(_message.Message):
    __slots__ = ("instance_id", "address", "release", "reads_journal_version")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    READS_JOURNAL_VERSION_FIELD_NUMBER: _ClassVar[int]
    instance_id: str
    address: str
    release: str
    reads_journal_version: int
    def __init__(self, instance_id: _Optional[str] = ..., address: _Optional[str] = ..., release: _Optional[str] = ..., reads_journal_version: _Optional[int] = ...) -> None: ...

class Upgrade(_message.Message):
    __slots__ = ("state", "schema_version", "min_reader", "journal_version", "newest_journal_version", "instances")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    MIN_READER_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEWEST_JOURNAL_VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    state: UpgradeState
    schema_version: int
    min_reader: int
    journal_version: int
    newest_journal_version: int
    instances: _containers.RepeatedCompositeFieldContainer[InstanceRelease]
    def __init__(self, state: _Optional[_Union[UpgradeState, str]] = ..., schema_version: _Optional[int] = ..., min_reader: _Optional[int] = ..., journal_version: _Optional[int] = ..., newest_journal_version: _Optional[int] = ..., instances: _Optional[_Iterable[_Union[InstanceRelease, _Mapping]]] = ...) -> None: ...

class GetUpgradeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetUpgradeResponse(_message.Message):
    __slots__ = ("upgrade",)
    UPGRADE_FIELD_NUMBER: _ClassVar[int]
    upgrade: Upgrade
    def __init__(self, upgrade: _Optional[_Union[Upgrade, _Mapping]] = ...) -> None: ...

class FinalizeUpgradeRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class FinalizeUpgradeResponse(_message.Message):
    __slots__ = ("upgrade",)
    UPGRADE_FIELD_NUMBER: _ClassVar[int]
    upgrade: Upgrade
    def __init__(self, upgrade: _Optional[_Union[Upgrade, _Mapping]] = ...) -> None: ...
