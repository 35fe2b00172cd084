// Generated from the contracts; do not edit.
export * from "./orchestrator/info/v1/info_pb.js";
