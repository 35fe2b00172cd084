"""Names of orchestrator_client.v1."""

from orchestrator_client.v1.admin_service_pb2 import *
from orchestrator_client.v1.approval_pb2 import *
from orchestrator_client.v1.approval_service_pb2 import *
from orchestrator_client.v1.breaker_pb2 import *
from orchestrator_client.v1.budget_pb2 import *
from orchestrator_client.v1.budget_service_pb2 import *
from orchestrator_client.v1.callback_service_pb2 import *
from orchestrator_client.v1.dead_letter_service_pb2 import *
from orchestrator_client.v1.error_pb2 import *
from orchestrator_client.v1.flow_dry_run_pb2 import *
from orchestrator_client.v1.flow_pb2 import *
from orchestrator_client.v1.flow_service_pb2 import *
from orchestrator_client.v1.generation_pb2 import *
from orchestrator_client.v1.generation_service_pb2 import *
from orchestrator_client.v1.goal_pb2 import *
from orchestrator_client.v1.goal_service_pb2 import *
from orchestrator_client.v1.limit_pb2 import *
from orchestrator_client.v1.limit_service_pb2 import *
from orchestrator_client.v1.operation_pb2 import *
from orchestrator_client.v1.operation_service_pb2 import *
from orchestrator_client.v1.payload_pb2 import *
from orchestrator_client.v1.payload_service_pb2 import *
from orchestrator_client.v1.queue_pb2 import *
from orchestrator_client.v1.queue_service_pb2 import *
from orchestrator_client.v1.routed_task_pb2 import *
from orchestrator_client.v1.routing_service_pb2 import *
from orchestrator_client.v1.run_diagnosis_pb2 import *
from orchestrator_client.v1.run_event_pb2 import *
from orchestrator_client.v1.run_pb2 import *
from orchestrator_client.v1.run_service_pb2 import *
from orchestrator_client.v1.template_pb2 import *
from orchestrator_client.v1.template_service_pb2 import *
from orchestrator_client.v1.tool_service_pb2 import *
from orchestrator_client.v1.topic_service_pb2 import *
from orchestrator_client.v1.trigger_pb2 import *
from orchestrator_client.v1.trigger_service_pb2 import *
from orchestrator_client.v1.undelivered_message_pb2 import *
from orchestrator_client.v1.upgrade_service_pb2 import *
from orchestrator_client.v1.worker_pb2 import *
from orchestrator_client.v1.worker_service_pb2 import *

del DESCRIPTOR
