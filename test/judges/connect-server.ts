/**
 * The server under test of `connectconformance`: its ConformanceService on our port and pipeline. It reads one
 * ServerCompatRequest from stdin, serves, and writes one ServerCompatResponse to stdout, each behind its length (four
 * bytes, big-endian). SIGTERM ends it.
 *
 *   node connect-server.ts IMAGE     IMAGE: descriptor set of the protos of the runner
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, AnySchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Call, CallContext } from "../../src/api/calls/call.ts";
import { identifyByName } from "../../src/api/calls/identity.ts";
import { serveMethod } from "../../src/api/calls/methods.ts";
import { PassedError } from "../../src/api/errors/passed-error.ts";
import { createHealth } from "../../src/api/health.ts";
import { serveMethods } from "../../src/api/serve-methods.ts";
import { fail } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2] as string)));
const PACKAGE = "connectrpc.conformance.v1";

function messageType(name: string) {
  const desc = registry.getMessage(`${PACKAGE}.${name}`);
  if (desc === undefined) throw new Error(`the image has no message ${name}`);
  return desc;
}

interface ConformanceError {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}

interface UnaryRequest extends Message {
  readonly responseDefinition?: {
    readonly response: { readonly case?: "responseData" | "error"; readonly value?: unknown };
    readonly responseDelayMs: number;
  };
}

interface StreamRequest extends Message {
  readonly responseDefinition?: {
    readonly responseData: readonly Uint8Array[];
    readonly responseDelayMs: number;
    readonly error?: ConformanceError;
  };
}

/** The error of a definition, with what the case wants to see of its request. */
function toFailure({ code, message = "", details }: ConformanceError, info: Message | undefined): PassedError {
  const packed = info === undefined ? [] : [pack(messageType("ConformancePayload.RequestInfo"), info)];
  return new PassedError(create(StatusSchema, { code, message, details: [...details, ...packed] }));
}

function pack(desc: DescMessage, message: Message): Any {
  return create(AnySchema, { typeUrl: `type.googleapis.com/${desc.typeName}`, value: toBinary(desc, message) });
}

/** Request headers that test cases look for. Handlers can ask for headers by name only. */
const HEADER_NAMES = ["x-conformance-test"];

function requestInfo(request: Message, call: CallContext, desc: DescMethod): Message {
  const { headers, timeoutMs } = call as Call;
  const requestHeaders = HEADER_NAMES.flatMap((name) => {
    const found = headers.get(name);
    return found === undefined || found === null ? [] : [{ name, value: [found].flat().map(String) }];
  });
  const timeout = timeoutMs === undefined ? {} : { timeoutMs: BigInt(Math.round(timeoutMs)) };
  return create(messageType("ConformancePayload.RequestInfo"), {
    requestHeaders: requestHeaders.map((header) => create(messageType("Header"), header)),
    requests: [pack(desc.input, request)],
    ...timeout,
  } as never);
}

const respond = (desc: DescMethod, data: Uint8Array, info: Message | undefined): Message =>
  create(desc.output, {
    payload: create(messageType("ConformancePayload"), {
      data,
      ...(info === undefined ? {} : { requestInfo: info }),
    } as never),
  } as never);

async function callUnary(desc: DescMethod, request: UnaryRequest, call: CallContext): Promise<Message> {
  const definition = request.responseDefinition;
  if (definition !== undefined && definition.responseDelayMs > 0) await sleep(definition.responseDelayMs);
  const response = definition?.response;
  if (response?.case === "error") throw toFailure(response.value as ConformanceError, requestInfo(request, call, desc));
  const data = response?.case === "responseData" ? (response.value as Uint8Array) : new Uint8Array();
  return respond(desc, data, requestInfo(request, call, desc));
}

async function* callStream(desc: DescMethod, request: StreamRequest, call: CallContext): AsyncIterable<Message> {
  const definition = request.responseDefinition;
  // Headers and time are those of the beginning.
  let info: Message | undefined = requestInfo(request, call, desc);
  for (const data of definition?.responseData ?? []) {
    if (definition !== undefined && definition.responseDelayMs > 0) await sleep(definition.responseDelayMs);
    yield respond(desc, data, info);
    info = undefined;
  }
  if (definition?.error !== undefined) throw toFailure(definition.error, info);
}

/** The methods of the service that are unary or stream their answers. */
function conformanceMethods() {
  const service = registry.getService(`${PACKAGE}.ConformanceService`);
  if (service === undefined) throw new Error("the image has no ConformanceService");
  return service.methods.flatMap((desc) => {
    if (desc.methodKind === "server_streaming")
      return serveMethod(desc, (request, call) => callStream(desc, request as StreamRequest, call));
    if (desc.methodKind !== "unary") return [];
    if (desc.name === "Unimplemented")
      return serveMethod(desc, async () => fail("METHOD_UNIMPLEMENTED", { method: desc.name }));
    return serveMethod(desc, (request, call) => callUnary(desc, request as UnaryRequest, call));
  });
}

/** A message behind its length. */
async function readSized(): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) break;
  }
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0));
}

function writeSized(bytes: Uint8Array): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}

const asked = fromBinary(messageType("ServerCompatRequest"), await readSized()) as Message & {
  readonly messageReceiveLimit: number;
};
const noMetrics = {
  calls: { forMethod: () => ({ started() {}, finished() {}, sent() {} }) },
  http: { requested() {} },
};
const served = await serveMethods(conformanceMethods(), {
  health: createHealth(),
  config: { corsOrigins: [], reflection: false, maxMessageBytes: asked.messageReceiveLimit || 4_194_304 },
  identify: identifyByName,
  metricsText: null,
  facts: { version: "test" },
  log: { ...silentLog, error: (message, fields) => console.error(message, fields) },
  metrics: noMetrics,
});
const { port } = await served.listen("127.0.0.1", 0);
process.once("SIGTERM", () => process.exit(0));
const answer = { host: "127.0.0.1", port } as never;
writeSized(toBinary(messageType("ServerCompatResponse"), create(messageType("ServerCompatResponse"), answer)));
