/** The served methods by path, each with descriptor, policy, validator, and handler. */
import type { DescMethod } from "@bufbuild/protobuf";
import { getOption } from "@bufbuild/protobuf";
import type { MethodPolicy } from "../../gen/orchestrator/options/v1/options_pb.ts";
import { policy as policyOption } from "../../gen/orchestrator/options/v1/options_pb.ts";
import type { Encode } from "../encode.ts";
import { compileEncoder } from "../encode.ts";
import type { Validate } from "../requests/validate.ts";
import { compileValidator } from "../requests/validate.ts";
import type { StreamHandler, UnaryHandler } from "./call.ts";
import { compileRouting, type Routing } from "./routing.ts";

export interface ServedMethod {
  readonly desc: DescMethod;
  /** Path on the wire, for instance `/orchestrator.v1.RunService/StartRun`. */
  readonly path: string;
  /** Other paths of the same method. */
  readonly aliases: readonly string[];
  /** Full name of its service. */
  readonly service: string;
  /** Who may call it and what it costs; null for probes of other contracts, which anyone may call. */
  readonly policy: MethodPolicy | null;
  readonly routing: Routing;
  /** Checks requests; those items that the policy says are checked by the handler. */
  readonly validate: Validate;
  /** Encodes its responses. */
  readonly encode: Encode;
  /** Whether the request has a field `wait`, which extends the deadline of the call. */
  readonly waits: boolean;
  /** The handler; exactly one of the two is set. */
  readonly unary: UnaryHandler | null;
  readonly stream: StreamHandler | null;
}

/** Binds a method to its handler. Throws if it is neither unary nor server-streaming, or has unsupported rules. */
export function serveMethod(desc: DescMethod, handler: UnaryHandler | StreamHandler): ServedMethod {
  if (desc.methodKind !== "unary" && desc.methodKind !== "server_streaming") {
    throw new Error(`${desc.toString()} is ${desc.methodKind}; only unary and server-streaming methods are supported`);
  }
  const streaming = desc.methodKind === "server_streaming";
  const service = desc.parent.typeName;
  const policy = service.startsWith("grpc.") ? null : getOption(desc, policyOption);
  return {
    desc,
    path: `/${service}/${desc.name}`,
    aliases: [],
    service,
    policy,
    routing: compileRouting(desc),
    validate: compileValidator(desc.input, policy?.checkedItems),
    encode: compileEncoder(desc.output),
    waits: desc.input.field.wait?.message?.typeName === "google.protobuf.Duration",
    unary: streaming ? null : (handler as UnaryHandler),
    stream: streaming ? (handler as StreamHandler) : null,
  };
}
