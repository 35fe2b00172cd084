// Generated from the contracts; do not edit.
export * from "./grpcweb/orchestrator/v1/approval.js";
export * from "./grpcweb/orchestrator/v1/approval_service.client.js";
export * from "./grpcweb/orchestrator/v1/approval_service.js";
export * from "./grpcweb/orchestrator/v1/error.js";
export * from "./grpcweb/orchestrator/v1/flow.js";
export * from "./grpcweb/orchestrator/v1/flow_service.client.js";
export * from "./grpcweb/orchestrator/v1/flow_service.js";
export * from "./grpcweb/orchestrator/v1/payload.js";
export * from "./grpcweb/orchestrator/v1/payload_service.client.js";
export * from "./grpcweb/orchestrator/v1/payload_service.js";
export * from "./grpcweb/orchestrator/v1/run.js";
export * from "./grpcweb/orchestrator/v1/run_event.js";
export * from "./grpcweb/orchestrator/v1/run_service.client.js";
export * from "./grpcweb/orchestrator/v1/run_service.js";
export * from "./grpcweb/orchestrator/v1/template.js";
export * from "./grpcweb/orchestrator/v1/template_service.client.js";
export * from "./grpcweb/orchestrator/v1/template_service.js";
