// Generated from the contracts; do not edit.
export * from "./grpcweb/google/rpc/code.js";
export * from "./grpcweb/google/rpc/error_details.js";
export * from "./grpcweb/google/rpc/status.js";
