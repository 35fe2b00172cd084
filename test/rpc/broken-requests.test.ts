/** Requests that are no HTTP/1.1, or use what the service does not read: each is told what is wrong with it. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApi, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

beforeAll(async () => {
  tested = await startApi();
});

afterAll(() => tested.api.close(50));

/** Sends bytes, then the end of this half of the connection; resolves with all that came. */
async function send(bytes: string): Promise<string> {
  const port = Number(tested.address.split(":")[1]);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => undefined);
  socket.end(bytes);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return Buffer.concat(chunks).toString("latin1");
}

describe("what the parser of HTTP cannot read", () => {
  const POST = "POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

  // Cause: all of these were "it is not HTTP/1.1", also a body that broke off.
  test.each([
    ["GET / HTTP/9.9\r\n\r\n", 400, "its first line does not end with HTTP/1.0 or HTTP/1.1 and CR LF"],
    ["GET / HTTP/1.1\nhost: localhost\n\n", 400, "its first line does not end with HTTP/1.0 or HTTP/1.1 and CR LF"],
    ["GET / HTTP/1.1\r\nhost: localhost\r\nfoo\r\n\r\n", 400, "a header has no colon"],
    ["GET / HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\n c\r\n\r\n", 400, "continues on a second line"],
    [`${POST}content-length: abc\r\n\r\n{}`, 400, "content-length is not a whole number of bytes"],
    [`${POST}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`, 400, "content-length appears more than once"],
    [`${POST}content-length: 50\r\n\r\n{}`, 400, "it ends before it is complete"],
    [`${POST}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, 400, "the size of a chunk is not a hexadecimal"],
    // Cause: the body was taken for JSON that is not compressed.
    [`${POST}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 501, "send chunked"],
  ])("is told to the caller: %j", async (request, status, problem) => {
    const answer = await send(request);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toContain(problem);
  });

  test("an expectation that nobody knows is passed over", async () => {
    const answer = await send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nexpect: 200-ok\r\n\r\n");
    expect(answer).toContain("HTTP/1.1 200 OK");
  });
});
