import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

/** A tool server that misbehaves on demand: the path names the behaviour. */
export interface FakeTool {
  readonly origin: string;
  readonly port: number;
  /** Requests that arrived, oldest first. */
  readonly requests: readonly {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage["headers"];
    readonly body: string;
  }[];
  /** Open connections. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** One behaviour. Query parameters say more. */
type Behaviour = (response: ServerResponse, query: URLSearchParams, origin: string) => void;

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "/echo": (response) => json(response, 200, { ok: true }),
  "/status": (response, query) => {
    const after = query.get("after");
    json(response, Number(query.get("code")), { message: "because" }, after === null ? {} : { "retry-after": after });
  },
  "/hang": () => {},
  /** Answers, and closes the connection when the next request comes over it. */
  "/close-next": (response) => {
    const { socket } = response;
    json(response, 200, { ok: true });
    socket?.once("data", () => socket.resetAndDestroy());
  },
  "/drip": (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    const timer = setInterval(() => response.write("x"), 20);
    response.on("close", () => clearInterval(timer));
  },
  "/reset": (response) => response.socket?.resetAndDestroy(),
  "/cut": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write('{"half":');
    setTimeout(() => response.socket?.destroy(), 20);
  },
  "/interim": (response) => {
    response.writeContinue();
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeContinue();
    json(response, 200, { ok: true });
  },
  "/upgrade": (response) =>
    response.socket?.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n"),
  "/headers": (response) => {
    const utf8 = Buffer.from("größe 日本").toString("latin1");
    response.socket?.end(
      Buffer.from(
        `HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2; Path=/\r\nx-many: 1\r\nx-many: 2\r\nx-text: ${utf8}\r\nx-latin: n\u00e9\r\ncontent-length: 0\r\n\r\n`,
        "latin1",
      ),
    );
  },
  "/redirect-utf8": (response) => {
    const location = Buffer.from("/echo?日=é").toString("latin1");
    response.socket?.end(
      Buffer.from(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`, "latin1"),
    );
  },
  "/large-headers": (response, query) => {
    const headers = Array.from({ length: Number(query.get("kb")) }, (_, at): [string, string] => [
      `x-${at}`,
      "a".repeat(1_000),
    ]);
    json(response, 200, { ok: true }, Object.fromEntries(headers));
  },
  "/no-http": (response) => response.socket?.end("this is no HTTP\r\n\r\n"),
  "/wrong-json": (response) => raw(response, "application/json", '{"a": 1,,}'),
  "/json": (response, query) => raw(response, "application/json", query.get("text") ?? ""),
  "/typed": (response, query) => raw(response, query.get("type") ?? "", Buffer.from(query.get("hex") ?? "", "hex")),
  "/endless": (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    const block = Buffer.alloc(65_536, "a");
    const pump = () => {
      while (!response.destroyed && response.write(block));
      if (!response.destroyed) response.once("drain", pump);
    };
    pump();
  },
  "/bomb": (response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
    response.end(gzipSync(Buffer.alloc(64 * 1_024 * 1_024)));
  },
  "/gzip": (response, query) => {
    response.writeHead(200, { "content-type": "application/json", "content-encoding": query.get("coding") ?? "gzip" });
    response.end(gzipSync('{"packed":true}'));
  },
  "/loop": (response) => redirect(response, 302, "/loop"),
  "/redirect": (response, query) => redirect(response, Number(query.get("code") ?? "302"), query.get("to") ?? "/echo"),
};

/** Starts the server on a free port of `host`. */
export async function startFakeTool(host = "127.0.0.1"): Promise<FakeTool> {
  const requests: FakeTool["requests"][number][] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    const { pathname, searchParams } = new URL(url, "http://x");
    const behaviour = BEHAVIOURS[pathname];
    if (behaviour === undefined) json(response, 404, { message: "no such behaviour" });
    else behaviour(response, searchParams, `http://${headers.host}`);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://${host}:${port}`,
    port,
    requests,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

function raw(response: ServerResponse, type: string, body: string | Buffer): void {
  response.writeHead(200, type === "" ? {} : { "content-type": type });
  response.end(body);
}

function redirect(response: ServerResponse, status: number, location: string): void {
  response.writeHead(status, { location });
  response.end();
}
