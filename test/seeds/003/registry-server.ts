/** A registry that answers what a test says. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface RegistryServer {
  readonly url: string;
  /** How it answers from now on: a value as JSON, or what a handler writes. */
  answer: unknown;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
}

/** Starts it for one test. */
export async function startRegistryServer(first: unknown): Promise<RegistryServer> {
  const asked: string[] = [];
  const server = createServer(({ url = "" }, response) => {
    asked.push(url);
    if (typeof registry.answer === "function") (registry.answer as (to: ServerResponse) => void)(response);
    else response.end(JSON.stringify(registry.answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const registry: RegistryServer = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    answer: first,
    asked,
  };
  return registry;
}
