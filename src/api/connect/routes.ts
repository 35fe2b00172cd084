/**
 * Routes of Connect and gRPC-Web. Their server is loaded with the first request: it costs 10 MB and a tenth of a second, and many installations are
 * called over gRPC alone.
 */
import type { FastifyInstance } from "fastify";
import type { ServedMethod } from "../methods.ts";
import type { ConnectParts, ConnectServer } from "./server.ts";

/** Every method of HTTP that asks for something: those that a path does not take are told which it does. `OPTIONS` is answered before. */
const VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Adds a route for each method to a scope of its own; a path of `aliases` answers as the method that it names. */
export function serveConnect(
  http: FastifyInstance,
  methods: readonly ServedMethod[],
  aliases: Readonly<Record<string, string>>,
  parts: ConnectParts,
): void {
  let loading: Promise<ConnectServer> | null = null;
  const load = (): Promise<ConnectServer> => {
    loading ??= import("./server.ts").then((module) => module.createConnectServer(methods, parts));
    return loading;
  };
  // The library reads the body itself.
  http.removeAllContentTypeParsers();
  http.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const add = (url: string, path: string): void => {
    http.route({
      method: VERBS,
      url,
      handler: async (request, reply) => (await load()).handle(path, request, reply),
    });
  };
  for (const { path } of methods) add(path, path);
  for (const [alias, path] of Object.entries(aliases)) add(alias, path);
}
