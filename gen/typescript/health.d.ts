// Generated from the contracts; do not edit.
export * from "./grpcweb/orchestrator/health/v1/health.client.js";
export * from "./grpcweb/orchestrator/health/v1/health.js";
