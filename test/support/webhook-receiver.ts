/** An endpoint of webhooks that a test runs: it keeps what arrives, as it arrived. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** An event as it was posted. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a request is answered: a status with headers and a body, or never. */
export type Reply =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | "never";

export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** Whatever was received, answered or not. */
  readonly received: readonly Received[];
  /** Bodies in the order of their arrival, those that were answered with 2xx only; not those that are empty. */
  readonly taken: () => readonly unknown[];
  /** How requests are answered from now on. */
  reply(rule: (request: Received) => Reply): void;
  /** Stops to listen; connections break. */
  close(): Promise<void>;
}

/** Listens until the end of the test; `port` 0: any. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const received: Received[] = [];
  const taken: unknown[] = [];
  let rule: (request: Received) => Reply = () => 204;
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const one = { headers: request.headers, body: Buffer.concat(parts).toString() };
      received.push(one);
      const reply = rule(one);
      if (reply === "never") return;
      const { status, headers = {}, body = "" } = typeof reply === "number" ? { status: reply } : reply;
      if (status < 300 && one.body !== "") taken.push(JSON.parse(one.body));
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(close);
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${actual}/hook`,
    port: actual,
    received,
    taken: () => taken,
    reply: (next) => {
      rule = next;
    },
    close,
  };
}
