"""Names of orchestrator_client.v1."""

from orchestrator_client.v1.admin_service_pb2_grpc import *
from orchestrator_client.v1.approval_service_pb2_grpc import *
from orchestrator_client.v1.budget_service_pb2_grpc import *
from orchestrator_client.v1.callback_service_pb2_grpc import *
from orchestrator_client.v1.dead_letter_service_pb2_grpc import *
from orchestrator_client.v1.flow_service_pb2_grpc import *
from orchestrator_client.v1.generation_service_pb2_grpc import *
from orchestrator_client.v1.goal_service_pb2_grpc import *
from orchestrator_client.v1.limit_service_pb2_grpc import *
from orchestrator_client.v1.operation_service_pb2_grpc import *
from orchestrator_client.v1.payload_service_pb2_grpc import *
from orchestrator_client.v1.queue_service_pb2_grpc import *
from orchestrator_client.v1.routing_service_pb2_grpc import *
from orchestrator_client.v1.run_service_pb2_grpc import *
from orchestrator_client.v1.template_service_pb2_grpc import *
from orchestrator_client.v1.tool_service_pb2_grpc import *
from orchestrator_client.v1.topic_service_pb2_grpc import *
from orchestrator_client.v1.trigger_service_pb2_grpc import *
from orchestrator_client.v1.upgrade_service_pb2_grpc import *
from orchestrator_client.v1.worker_service_pb2_grpc import *
