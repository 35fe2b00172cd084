/** A collector: takes spans over gRPC and over HTTP, and keeps them for the test. */
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { onTestFinished } from "vitest";
import { eventually } from "../eventually.ts";
import { type ReceivedSpan, readExport } from "./otlp-messages.ts";

/** A running collector. */
export interface TraceReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT` with the protocol `grpc`. */
  readonly grpcUrl: string;
  /** The same with `http/protobuf`. */
  readonly httpUrl: string;
  /** All spans so far, in order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** Headers of the exports. */
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  /** Resolves with the spans of a trace once there are at least `count`. */
  trace(traceId: string, count: number): Promise<readonly ReceivedSpan[]>;
}

/** Bytes before a message of gRPC. */
const PREFIX_BYTES = 5;

/** Opens a collector until the end of the test. */
export async function openTraceReceiver(): Promise<TraceReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: Readonly<Record<string, unknown>>[] = [];
  const grpc = createHttp2Server();
  grpc.on("stream", async (stream, given) => {
    headers.push(given);
    const bytes = Buffer.concat(await stream.toArray());
    spans.push(...readExport(bytes.subarray(PREFIX_BYTES)));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.alloc(PREFIX_BYTES));
  });
  const http = createServer(async (request, response) => {
    headers.push(request.headers);
    const bytes = Buffer.concat(await request.toArray());
    if (request.url === "/v1/traces") spans.push(...readExport(bytes));
    response.writeHead(request.url === "/v1/traces" ? 200 : 404, { "content-type": "application/x-protobuf" }).end();
  });
  const [grpcUrl, httpUrl] = await Promise.all([listen(grpc), listen(http)]);
  return {
    ...{ grpcUrl, httpUrl, spans, headers },
    trace: (traceId, count) =>
      eventually(() => {
        const found = spans.filter((span) => span.traceId === traceId);
        if (found.length < count) throw new Error(`${found.length} of ${count} spans: ${JSON.stringify(spans)}`);
        return found;
      }),
  };
}

async function listen(server: Server): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
