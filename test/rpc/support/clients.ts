/** Clients of the four protocols that answer alike, so that one test can ask them all. */
import type { DescMethod, JsonObject, Message, MessageInitShape } from "@bufbuild/protobuf";
import { create, createRegistry, fromBinary, fromJson, getOption, toBinary, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { ServiceError } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { http as httpOption } from "../../../src/gen/google/api/annotations_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  file_google_rpc_error_details,
} from "../../../src/gen/google/rpc/error_details_pb.ts";
import type { Status } from "../../../src/gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.ts";

/** An answer: a message, or an error in the parts that all protocols have. */
export type Answer =
  | { readonly ok: true; readonly message: Message; readonly json: JsonObject }
  | {
      readonly ok: false;
      /** Number of the gRPC status. */
      readonly code: number;
      readonly message: string;
      /** Type names of the details, in order. */
      readonly types: readonly string[];
      /** Reason of the ErrorInfo. */
      readonly reason: string;
      readonly domain: string;
      readonly metadata: Readonly<Record<string, string>>;
      /** Field violations of the BadRequest. */
      readonly violations: readonly { readonly field: string; readonly description: string }[];
      /** HTTP status, for REST. */
      readonly http?: number;
    };

/** How to ask. */
export interface AskOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of one protocol. */
export interface ProtocolClient {
  readonly name: string;
  ask<M extends DescMethod>(method: M, init: MessageInitShape<M["input"]>, options?: AskOptions): Promise<Answer>;
  close(): void;
}

const registry = createRegistry(file_google_rpc_error_details);

/** One client of each protocol. */
export function openClients(address: string): readonly ProtocolClient[] {
  const baseUrl = `http://${address}`;
  return [
    openGrpc(address),
    overTransport("grpc-web", createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
    overTransport(
      "connect json",
      createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, jsonOptions: { registry } }),
    ),
    overTransport("connect proto", createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true })),
    openRest(baseUrl),
  ];
}

/** A gRPC client over bytes. */
export function openGrpc(address: string): ProtocolClient {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
  });
  return {
    name: "grpc",
    ask: (method, init, options) =>
      new Promise((resolve) => {
        const deadline = options?.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
        const call = client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes: Buffer) => bytes,
          toBinary(method.input, create(method.input, init)),
          metadataOf(options?.headers),
          { deadline },
          (error: ServiceError | null, bytes?: Buffer) => {
            if (error === null) resolve(toAnswer(method, fromBinary(method.output, bytes ?? Buffer.alloc(0))));
            else resolve(grpcFailure(error));
          },
        );
        options?.signal?.addEventListener("abort", () => call.cancel());
      }),
    close: () => client.close(),
  };
}

function metadataOf(headers: Readonly<Record<string, string>> = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

/** The parts of a gRPC error. */
export function grpcFailure(error: ServiceError): Answer {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  return failure(
    error.code,
    error.details,
    bytes === undefined ? [] : fromBinary(StatusSchema, bytes as Buffer).details,
  );
}

function overTransport(name: string, transport: Transport): ProtocolClient {
  return {
    name,
    async ask(method, init, options) {
      try {
        const response = await transport.unary(
          method as never,
          options?.signal,
          options?.timeoutMs,
          options?.headers,
          create(method.input, init) as never,
        );
        return toAnswer(method, response.message as Message);
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        const details = error.details.map((detail): Any => {
          const { type, value } = detail as { type: string; value: Uint8Array };
          return {
            $typeName: "google.protobuf.Any",
            typeUrl: `type.googleapis.com/${type}`,
            value: value as Uint8Array<ArrayBuffer>,
          };
        });
        return failure(error.code, error.rawMessage, details);
      }
    },
    close() {},
  };
}

function openRest(baseUrl: string): ProtocolClient {
  return {
    name: "rest",
    async ask(method, init, options) {
      const json = toJson(method.input, create(method.input, init)) as JsonObject;
      const rule = getOption(method, httpOption);
      const { case: verb, value: template } = rule.pattern as { case: string; value: string };
      let path = template;
      for (const field of method.input.fields) {
        if (!path.includes(`{${field.name}}`)) continue;
        path = path.replace(`{${field.name}}`, encodeURIComponent(String(json[field.jsonName] ?? "")));
        delete json[field.jsonName];
      }
      const query = rule.body === "" ? `?${new URLSearchParams(json as Record<string, string>)}` : "";
      const headers: Record<string, string> = { ...options?.headers };
      if (options?.timeoutMs !== undefined) headers["x-timeout-ms"] = String(options.timeoutMs);
      const body = rule.body === "" ? {} : { body: JSON.stringify(json) };
      if (rule.body !== "") headers["content-type"] = "application/json";
      const signal = options?.signal === undefined ? {} : { signal: options.signal };
      const response = await fetch(baseUrl + path + query, {
        method: verb.toUpperCase(),
        headers,
        ...body,
        ...signal,
      }).catch((error: unknown) => error as Error);
      if (response instanceof Error) return failure(1, response.message, []);
      const text = await response.text();
      if (response.ok) return toAnswer(method, fromJson(method.output, JSON.parse(text), { registry }));
      const status: Status = fromJson(StatusSchema, JSON.parse(text), { registry });
      return { ...failure(status.code, status.message, status.details), http: response.status } as Answer;
    },
    close() {},
  };
}

function toAnswer(method: DescMethod, message: Message): Answer {
  return { ok: true, message, json: toJson(method.output, message, { registry }) as JsonObject };
}

function failure(code: number, message: string, details: readonly Any[]): Answer {
  const types = details.map((any) => any.typeUrl.slice(any.typeUrl.lastIndexOf(".") + 1));
  const info = details.find((any) => any.typeUrl.endsWith("ErrorInfo"));
  const { reason, domain, metadata } =
    info === undefined ? { reason: "", domain: "", metadata: {} } : fromBinary(ErrorInfoSchema, info.value);
  const bad = details.find((any) => any.typeUrl.endsWith("BadRequest"));
  const violations = bad === undefined ? [] : fromBinary(BadRequestSchema, bad.value).fieldViolations;
  return { ok: false, code, message, types, reason, domain, metadata, violations };
}
