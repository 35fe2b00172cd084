"""Names of orchestrator_client.info.v1."""

from orchestrator_client.info.v1.info_pb2 import *

del DESCRIPTOR
