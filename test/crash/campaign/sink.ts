/** The outside world of the campaign: a local web service that writes down every call it gets, before it answers. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** A call as the sink saw it. */
export interface SinkCall {
  readonly at: number;
  readonly key: string;
  readonly runId: string;
  readonly task: string;
  readonly attempt: number;
  readonly token: number;
  readonly body: string;
  readonly status: number;
}

/** A running sink. */
export interface Sink {
  readonly url: string;
  readonly calls: readonly SinkCall[];
  /** Calls that are being worked on right now. */
  readonly busy: number;
  close(): Promise<void>;
}

interface Order {
  readonly n: number;
  readonly step: string;
  /** The first so many attempts are answered with 503. */
  readonly fail?: number;
  /** Every attempt is answered with this status. */
  readonly status?: number;
}

/** Opens the sink. Answers come after 5 to 45 ms, by what was ordered and not by chance. */
export async function openSink(): Promise<Sink> {
  const calls: SinkCall[] = [];
  let busy = 0;
  const server = createServer(async (request, response) => {
    busy += 1;
    const body = await read(request).catch(() => null);
    if (body !== null) {
      const order = JSON.parse(body) as Order;
      const header = (name: string): string => String(request.headers[name] ?? "");
      const attempt = Number(header("x-orchestrator-attempt"));
      const status = order.status ?? (attempt <= (order.fail ?? 0) ? 503 : 200);
      calls.push({
        at: Date.now(),
        key: header("idempotency-key"),
        runId: header("x-orchestrator-run-id"),
        task: header("x-orchestrator-task"),
        attempt,
        token: Number(header("x-orchestrator-fencing-token")),
        body,
        status,
      });
      await new Promise((resolve) => setTimeout(resolve, 5 + ((order.n * 7 + order.step.length * 13) % 40)));
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify({ n: order.n, step: order.step }));
    }
    busy -= 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/do`,
    calls,
    get busy() {
      return busy;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
