// Generated from the contracts; do not edit.
export * from "./grpcweb/google/protobuf/any.js";
export * from "./grpcweb/google/protobuf/duration.js";
export * from "./grpcweb/google/protobuf/field_mask.js";
export * from "./grpcweb/google/protobuf/struct.js";
export * from "./grpcweb/google/protobuf/timestamp.js";
