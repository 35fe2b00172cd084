/** A proxy before a server: one request is held, or its connection is cut, and the others go through. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface HeldProxy {
  readonly url: string;
  /** Resolves when a request with this method and path is there; it is never answered. */
  hold(method: string, path: string): Promise<void>;
  /** Cuts the connections of such requests. */
  cut(method: string, path: string): void;
  /** Lets everything through again. */
  release(): void;
}

/** Starts one for the current test. */
export async function startHeldProxy(target: string): Promise<HeldProxy> {
  let rule: { readonly request: string; readonly arrived: () => void; readonly isCut: boolean } | undefined;
  const server = createServer((incoming, response) => {
    if (rule?.request === `${incoming.method} ${incoming.url}`) {
      rule.arrived();
      if (rule.isCut) incoming.socket.destroy();
      return;
    }
    void fetch(`${target}${incoming.url}`, { method: incoming.method ?? "GET" }).then(async (answer) => {
      response.writeHead(answer.status).end(await answer.text());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: (method, path) =>
      new Promise((resolve) => {
        rule = { request: `${method} ${path}`, arrived: resolve, isCut: false };
      }),
    cut: (method, path) => {
      rule = { request: `${method} ${path}`, arrived: () => undefined, isCut: true };
    },
    release: () => {
      rule = undefined;
    },
  };
}
