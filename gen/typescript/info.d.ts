// Generated from the contracts; do not edit.
export * from "./grpcweb/orchestrator/info/v1/info.client.js";
export * from "./grpcweb/orchestrator/info/v1/info.js";
