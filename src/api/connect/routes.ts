/**
 * Routes of Connect and gRPC-Web. Their server is loaded with the first request, because it costs 10 MB and a tenth of
 * a second, and many installations use gRPC only.
 */
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance } from "fastify";
import type { ServedMethod } from "../calls/methods.ts";
import type { ConnectParts, ConnectServer } from "./server.ts";

/** HTTP methods of a method: GET only for unary methods without side effects. */
export function allowedVerbs({ desc, stream }: ServedMethod): readonly string[] {
  const isSafe = desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return isSafe && stream === null ? ["GET", "POST"] : ["POST"];
}

/** Adds routes for all paths of all methods in a scope of their own. */
export function serveConnect(http: FastifyInstance, methods: readonly ServedMethod[], parts: ConnectParts): void {
  let loading: Promise<ConnectServer> | null = null;
  const load = (): Promise<ConnectServer> => {
    loading ??= import("./server.ts").then((module) => module.createConnectServer(methods, parts));
    return loading;
  };
  const add = (url: string, method: ServedMethod): void => {
    const { path } = method;
    http.route({
      method: [...allowedVerbs(method)],
      url,
      handler: async (request, reply) => {
        // Loading the server counts toward the caller's timeout.
        const startedAt = performance.now();
        await (await load()).handle(path, request, reply, startedAt);
      },
    });
  };
  for (const method of methods) for (const url of [method.path, ...method.aliases]) add(url, method);
}
