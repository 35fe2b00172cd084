/** A service that `http` tasks call. A test sees each request, and says how it is answered. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { createQueue } from "../../src/base/queue.ts";

/** A request that has arrived. */
export interface ToolRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Its JSON; null without a body. */
  readonly body: unknown;
  /** Answers it; without this call it is answered by the rule of the server. */
  answer(status: number, text?: string): void;
}

/** A running server. */
export interface ToolServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Requests so far. */
  readonly count: () => number;
  next(): Promise<ToolRequest>;
}

/** Longest wait for a request, milliseconds. */
const WAIT_MS = 20_000;

/** Serves until the end of the test. `status`: of every answer; null: the test answers. */
export async function serveTool(
  status: number | null = 202,
  replyHeaders: Readonly<Record<string, string>> = {},
): Promise<ToolServer> {
  const requests = createQueue<ToolRequest>(new AbortController().signal);
  let count = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      count += 1;
      const text = Buffer.concat(parts).toString();
      const answer = (code: number, reply = ""): void => void response.writeHead(code, replyHeaders).end(reply);
      const { url = "", headers } = request;
      requests.push({ url, headers, body: text === "" ? null : JSON.parse(text), answer });
      if (status !== null) answer(status);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    next: async () => {
      const request = await requests.take(WAIT_MS);
      if (request === undefined) throw new Error("nobody called");
      return request;
    },
  };
}
