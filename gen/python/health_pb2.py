"""Names of orchestrator_client.health.v1."""

from orchestrator_client.health.v1.health_pb2 import *

del DESCRIPTOR
