/**
 * Bytes that are no HTTP, behind requests that are: what was asked before is answered, and nothing is said in the
 * middle of an answer.
 */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startOf } from "../support/start-of.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

beforeAll(async () => {
  tested = await startApi();
});

afterAll(() => tested.api.close(50));

const CALLER = { tenantId: "default", actor: "" };
const BODY = '{"flowId":"f"}';
const HEAD = "host: localhost\r\ncontent-type: application/json\r\n";
const START = `POST /v1/runs HTTP/1.1\r\n${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`;

function open(): { socket: Socket; text: () => string; ended: Promise<void> } {
  const socket = connect({ port: Number(tested.address.split(":")[1]), host: "127.0.0.1" });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, text: () => Buffer.concat(chunks).toString("latin1"), ended };
}

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => found[1] ?? "");
}

// Cause: the answer to broken bytes was written to the socket at once, and the method in it was read from the first
// line of the packet, which was that of a good request: its caller was told 405 for a run that had started.
describe("a request that was read", () => {
  test.each([
    ["junk", "}junk\r\n"],
    ["half a line", "x x"],
    ["an unknown method", `FOO /v1/flows HTTP/1.1\r\n${HEAD}\r\n`],
    ["a broken header", `GET /v1/runs HTTP/1.1\r\nbro ken\r\n\r\n`],
  ])("is answered before the refusal of %s behind it", async (_, junk) => {
    const before = tested.engine.states.size;
    const { socket, text, ended } = open();
    socket.write(START + START + junk);
    await ended;
    expect(statuses(text())).toEqual(["200", "200", "400"]);
    expect(text()).toMatch(/REQUEST_MALFORMED[\s\S]*$/);
    expect(text()).not.toContain("does not take");
    expect(tested.engine.states.size).toBe(before + 2);
  });

  test("is answered when the bytes behind it come later", async () => {
    const { run } = await tested.engine.startRun(CALLER, startOf("open"), 0);
    const { socket, text, ended } = open();
    socket.write(`GET /v1/runs/${run.state.runId}:wait?wait=1s HTTP/1.1\r\n${HEAD}\r\n`);
    // By then the first packet was read on its own.
    await fetch(`${tested.url}/healthz`);
    socket.write("junk\r\n\r\n");
    socket.write("more junk\r\n\r\n");
    await ended;
    expect(statuses(text())).toEqual(["200", "400"]);
  });
});

test("a stream goes on to its end when its connection brings bytes that are no HTTP", async () => {
  const { run } = await tested.engine.startRun(CALLER, startOf("open"), 0);
  const { runId } = run.state;
  const { socket, text, ended } = open();
  socket.write(`GET /v1/runs/${runId}:watch HTTP/1.1\r\n${HEAD}\r\n`);
  await eventually(() => expect(text()).toContain("event: snapshot"));
  socket.write("junk\r\n\r\n");
  await eventually(() => expect(text()).toMatch(/(: heartbeat[\s\S]*){3}/));
  expect(statuses(text())).toEqual(["200"]);
  await tested.engine.terminateRun(CALLER, runId, "");
  await ended;
  expect(text()).toContain("event: end");
  expect(text()).toMatch(/\r\n0\r\n\r\nHTTP\/1\.1 400 /);
  expect(statuses(text())).toEqual(["200", "400"]);
});

describe("a request whose own body is broken", () => {
  test("is refused once, after the requests before it", async () => {
    const before = tested.engine.states.size;
    const { socket, text, ended } = open();
    socket.write(`${START}POST /v1/runs HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`);
    await ended;
    expect(statuses(text())).toEqual(["200", "400"]);
    expect(tested.engine.states.size).toBe(before + 1);
  });

  // Cause: every fault of the parser was "it is not HTTP/1.1".
  test("that ends before its length is told so", async () => {
    const { socket, text, ended } = open();
    socket.end(`POST /v1/runs HTTP/1.1\r\n${HEAD}content-length: 50\r\n\r\n{"flow`);
    await ended;
    expect(statuses(text())).toEqual(["400"]);
    expect(text()).toContain("it ends before it is complete");
  });

  test("gets no second answer when it was refused before its body", async () => {
    const { socket, text, ended } = open();
    socket.write(`POST /v1/nothing HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\n`);
    await eventually(() => expect(statuses(text())).toEqual(["404"]));
    socket.write("zz\r\n");
    await ended;
    expect(statuses(text())).toEqual(["404"]);
  });
});

// Cause: Node reads every list of codings that ends with `chunked` as if it were `chunked` alone.
test.each(["gzip, chunked", "identity, chunked", "x, chunked"])("transfer-encoding: %s is refused", async (coding) => {
  const before = tested.engine.states.size;
  const chunked = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
  for (const path of ["/v1/runs", "/orchestrator.v1.RunService/StartRun"]) {
    const { socket, text, ended } = open();
    socket.write(`POST ${path} HTTP/1.1\r\n${HEAD}transfer-encoding: ${coding}\r\n\r\n${chunked}`);
    await ended;
    expect(statuses(text())).toEqual(["501"]);
    expect(text()).toContain(path === "/v1/runs" ? "TRANSFER_CODING_UNKNOWN" : "transfer coding");
  }
  expect(tested.engine.states.size).toBe(before);
});
