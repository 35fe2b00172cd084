/**
 * Routes of Connect and gRPC-Web. Their server is loaded with the first request: it costs 10 MB and a tenth of a
 * second, and many installations are called over gRPC alone.
 */
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { FastifyInstance } from "fastify";
import type { ServedMethod } from "../calls/methods.ts";
import type { ConnectParts, ConnectServer } from "./server.ts";

/** HTTP methods that a method of the contract takes: by GET only what has no side effects and is not a stream. */
export function allowedVerbs({ desc, stream }: ServedMethod): readonly string[] {
  const isSafe = desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  return isSafe && stream === null ? ["GET", "POST"] : ["POST"];
}

/** Adds a route for each path of each method to a scope of its own. */
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
        // Loading the server for the first call is part of the caller's time.
        const startedAt = performance.now();
        await (await load()).handle(path, request, reply, startedAt);
      },
    });
  };
  for (const method of methods) for (const url of [method.path, ...method.aliases]) add(url, method);
}
