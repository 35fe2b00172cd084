/** The methods that are served: descriptor, policy, validator and handler of each, found by path. */
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

/** A method that is served. */
export interface ServedMethod {
  readonly desc: DescMethod;
  /** Path on the wire, for instance `/orchestrator.v1.RunService/StartRun`. */
  readonly path: string;
  /** Other paths under which it answers. */
  readonly aliases: readonly string[];
  /** Full name of its service. */
  readonly service: string;
  /** Who may call it and what it costs; null for the probes of other contracts, which anybody may call. */
  readonly policy: MethodPolicy | null;
  readonly routing: Routing;
  readonly validate: Validate;
  /** Turns its responses into bytes. */
  readonly encode: Encode;
  /** Whether the request has a field `wait`, a duration that the call may take on top of its deadline. */
  readonly waits: boolean;
  /** The handler; exactly one of the two is set. */
  readonly unary: UnaryHandler | null;
  readonly stream: StreamHandler | null;
}

/** Binds a method to its handler. Throws when it is not unary or server-streaming, or has rules that are not known. */
export function serveMethod(desc: DescMethod, handler: UnaryHandler | StreamHandler): ServedMethod {
  if (desc.methodKind !== "unary" && desc.methodKind !== "server_streaming") {
    throw new Error(`${desc.toString()} is ${desc.methodKind}; only unary and server-streaming methods are served`);
  }
  const streaming = desc.methodKind === "server_streaming";
  const service = desc.parent.typeName;
  return {
    desc,
    path: `/${service}/${desc.name}`,
    aliases: [],
    service,
    policy: service.startsWith("grpc.") ? null : getOption(desc, policyOption),
    routing: compileRouting(desc),
    validate: compileValidator(desc.input),
    encode: compileEncoder(desc.output),
    waits: desc.input.field.wait?.message?.typeName === "google.protobuf.Duration",
    unary: streaming ? null : (handler as UnaryHandler),
    stream: streaming ? (handler as StreamHandler) : null,
  };
}
