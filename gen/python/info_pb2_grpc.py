"""Names of orchestrator_client.info.v1."""

from orchestrator_client.info.v1.info_pb2_grpc import *
