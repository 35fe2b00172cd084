/** Messages as proto JSON, with the types that errors pack into `Any`. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { createRegistry, toJsonString } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** Types that errors pack into `Any`. */
export const errorTypes = createRegistry(file_google_rpc_error_details);

/** A message as proto JSON, without fields at their zero value. */
export function printMessage(desc: DescMessage, message: Message): string {
  return toJsonString(desc, message, { registry: errorTypes });
}

/** A status as proto JSON. */
export function printStatus(status: Status): string {
  return toJsonString(StatusSchema, status, { registry: errorTypes });
}
