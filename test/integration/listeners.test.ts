/** What a command says when the port behind `--server` belongs to something else. */
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { describeListener } from "../../src/service/describe-listener.ts";
import { findFreePort } from "../support/free-port.ts";

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers the first bytes with others. */
function answering(answer: (asked: Buffer) => string | Buffer): Promise<string> {
  return listen(
    createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (asked) => socket.end(answer(asked)));
    }),
  );
}

test("an HTTP server is named, with and without TLS in the address", async () => {
  const address = await listen(createHttpServer((_, response) => response.end("hello")));
  expect(await describeListener(address)).toBe("it answers HTTP/1.1 but not gRPC");
  expect(await describeListener(`https://${address}`)).toBe(`it answers HTTP/1.1 without TLS; write http://${address}`);
});

test("a Redis server is named, also one that protects itself or wants a password", async () => {
  for (const answer of [
    "-ERR wrong number of arguments for 'get' command\r\n",
    "-DENIED Redis is running in protected mode",
    "-NOAUTH Authentication required.\r\n",
  ])
    expect(await describeListener(await answering(() => answer))).toBe("it looks like a Redis server");
});

test("a PostgreSQL server is named", async () => {
  // Answers SSLRequest as a real one without TLS does, and closes on anything else.
  const isHello = (asked: Buffer): boolean => asked.equals(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
  const address = await answering((asked) => (isHello(asked) ? "N" : ""));
  expect(await describeListener(address)).toBe("it looks like a PostgreSQL server");
});

test("a port that nobody listens at, and one that says nothing", async () => {
  expect(await describeListener(`127.0.0.1:${await findFreePort()}`)).toBe("nothing listens there");
  const silent = await listen(createServer((socket) => socket.on("error", () => {})));
  expect(await describeListener(silent)).toBe("something listens there but does not answer");
});
