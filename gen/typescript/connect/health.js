// Generated from the contracts; do not edit.
export * from "./orchestrator/health/v1/health_pb.js";
