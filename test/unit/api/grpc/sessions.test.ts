import { connect as connectHttp2, createServer, type Http2Server } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { openSessions, type Sessions } from "../../../../src/api/grpc/sessions.ts";

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

let server: Http2Server;
let sessions: Sessions;

afterEach(() => {
  sessions.close();
  server.close();
});

async function listen(lookMs: number, idleLooks?: number): Promise<number> {
  sessions = openSessions(lookMs, idleLooks);
  server = createServer().on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

test("a peer that answers no ping loses its connection", async () => {
  const port = await listen(20);
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write(PREFACE);
  socket.resume();
  await new Promise((resolve) => socket.on("close", resolve));
});

test("a peer that answers keeps it, without calls until it has been idle for long", async () => {
  const port = await listen(100, 8);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const seen: string[] = [];
  session.on("ping", () => seen.push("ping"));
  await new Promise<void>((resolve) => session.on("goaway", () => seen.push("goaway")).on("close", resolve));
  expect(seen.slice(0, 3)).toEqual(["ping", "ping", "goaway"]);
});

test("a connection with a call in flight is not idle", async () => {
  const port = await listen(40, 2);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const opened = new Promise<import("node:http2").ServerHttp2Stream>((resolve) => server.on("stream", resolve));
  const call = session.request({ ":path": "/" });
  call.resume();
  const stream = await opened;
  await new Promise<void>((resolve) => {
    let pings = 0;
    session.on("ping", () => {
      pings += 1;
      if (pings === 3) resolve();
    });
  });
  stream.respond();
  stream.end();
  await new Promise((resolve) => session.on("close", resolve));
  expect(call.rstCode).toBe(0);
});
