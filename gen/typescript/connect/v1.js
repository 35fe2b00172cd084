// Generated from the contracts; do not edit.
export * from "./orchestrator/v1/approval_pb.js";
export * from "./orchestrator/v1/approval_service_pb.js";
export * from "./orchestrator/v1/error_pb.js";
export * from "./orchestrator/v1/flow_pb.js";
export * from "./orchestrator/v1/flow_service_pb.js";
export * from "./orchestrator/v1/operation_pb.js";
export * from "./orchestrator/v1/operation_service_pb.js";
export * from "./orchestrator/v1/payload_pb.js";
export * from "./orchestrator/v1/payload_service_pb.js";
export * from "./orchestrator/v1/run_event_pb.js";
export * from "./orchestrator/v1/run_pb.js";
export * from "./orchestrator/v1/run_service_pb.js";
export * from "./orchestrator/v1/template_pb.js";
export * from "./orchestrator/v1/template_service_pb.js";
export * from "./orchestrator/v1/worker_pb.js";
export * from "./orchestrator/v1/worker_service_pb.js";
