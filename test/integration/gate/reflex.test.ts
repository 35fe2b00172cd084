/** The client of Reflex against a real server that answers well, badly, late, or not at all. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { openReflex, type Reflex } from "../../../src/guards/reflex/reflex.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";

type Answer = (response: ServerResponse, number: number) => void;

const SAFE = {
  ...{ request_id: "r", status: "Success", pii_detected: false, pii_matches: [], injection_detected: false },
  ...{ injection_matches: [], cache_hit: false, processing_time_ms: 1.5 },
};

const answering =
  (body: object | string, status = 200, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));

/** A Reflex whose calls are answered by `answer`, and its client. */
async function openBed(
  answer: Answer,
  options: Partial<Parameters<typeof openReflex>[0]> = {},
): Promise<{ reflex: Reflex; bodies: unknown[]; setAnswer(next: Answer): void }> {
  const bodies: unknown[] = [];
  let current = answer;
  const server = createServer((request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      if (request.url === "/health") return void response.end("ok");
      bodies.push(JSON.parse(Buffer.concat(parts).toString()));
      current(response, bodies.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reflex = openReflex({ url, log: silentLog, ...options });
  onTestFinished(() => {
    reflex.stop();
    server.closeAllConnections();
    server.close();
  });
  return { reflex, bodies, setAnswer: (next) => (current = next) };
}

const ask = (reflex: Reflex, signal = new AbortController().signal) =>
  reflex.process({ text: "hello", userId: "u", context: { a: 1 } }, signal);

test("a text is sent as the protocol says, and what Reflex thinks of it comes back", async () => {
  const { reflex, bodies, setAnswer } = await openBed(answering(SAFE));
  expect(await ask(reflex)).toEqual({ is: "safe" });
  expect(bodies).toEqual([{ text: "hello", user_id: "u", context: { a: 1 } }]);
  expect(reflex.state).toBe("available");
  setAnswer(answering({ ...SAFE, status: "Blocked", pii_detected: true, pii_matches: [{}] }));
  expect(await ask(reflex)).toEqual({ is: "blocked", rule: "reflex.pii", reason: "PII detected in input" });
  setAnswer(answering({ ...SAFE, status: "Blocked" }));
  expect(await ask(reflex)).toMatchObject({ is: "blocked", rule: "reflex.blocked" });
  // Its status and what it found contradict each other: it is blocked.
  setAnswer(answering({ ...SAFE, injection_detected: true }));
  expect(await ask(reflex)).toMatchObject({ is: "blocked", rule: "reflex.injection" });
});

test.each<[string, Answer, string, number]>([
  ["the status Error", answering({ ...SAFE, status: "Error" }), "it answered Error", 1],
  ["garbage", answering("<html>"), "its answer is no JSON", 1],
  ["a list", answering("[]"), "its answer has no valid object", 1],
  [
    "a field that is missing",
    answering({ ...SAFE, pii_detected: undefined }),
    "its answer has no valid pii_detected",
    1,
  ],
  ["a status of its own", answering({ ...SAFE, status: "success" }), "its answer has no valid status", 1],
  ["10 MB", answering("x".repeat(10_000_000)), "its answer is too long", 1],
  ["a redirect", answering("", 302, { location: "http://127.0.0.1:1/" }), "it answered 302", 1],
  ["a refusal", answering("", 403), "it answered 403", 1],
  ["5xx, tried again", answering("", 503), "it answered 503", 3],
  [
    "a connection that is cut, tried again",
    (response) => void response.destroy(),
    "it cannot be reached (UND_ERR_SOCKET)",
    3,
  ],
  [
    "half a body, tried again",
    (response) => void response.writeHead(200, { "content-length": "900" }).write("{", () => response.destroy()),
    "it cannot be reached",
    3,
  ],
])("%s is an error, never a yes", async (_, answer, problem, tries) => {
  const { reflex, bodies } = await openBed(answer);
  expect(await ask(reflex)).toEqual({ is: "error", problem: expect.stringContaining(problem) });
  expect(bodies.length).toBe(tries);
  expect(reflex.state).toBe("unavailable");
});

test("a try that is late is made again, and a call ends in its time", async () => {
  const { reflex, bodies, setAnswer } = await openBed(() => {}, { tryMs: 100, callMs: 2_000 });
  expect(await ask(reflex)).toEqual({ is: "error", problem: "it did not answer in time" });
  expect(bodies.length).toBeGreaterThan(1);
  setAnswer((response, number) => (number % 2 === 0 ? answering(SAFE)(response, number) : undefined));
  expect(await ask(reflex)).toEqual({ is: "safe" });
});

test("a caller that leaves ends the call, and says nothing about Reflex", async () => {
  const { reflex, bodies } = await openBed(() => {});
  const leaving = new AbortController();
  const call = ask(reflex, leaving.signal);
  await eventually(() => expect(bodies.length).toBe(1));
  await eventually(() => expect(reflex.state).toBe("available"));
  leaving.abort();
  await expect(call).rejects.toThrow();
  expect(reflex.state).toBe("available");
});

test("nobody listens: an error that names the cause, and the state follows when Reflex comes back", async () => {
  const port = await findFreePort();
  const reflex = openReflex({ url: `http://127.0.0.1:${port}/`, log: silentLog, lookMs: 50 });
  onTestFinished(() => reflex.stop());
  expect(await ask(reflex)).toEqual({ is: "error", problem: "it cannot be reached (ECONNREFUSED)" });
  expect(reflex.state).toBe("unavailable");
  const server = createServer((_, response) => void response.end());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  await eventually(() => expect(reflex.state).toBe("available"));
});

test("five failures in a row open the breaker for a minute; then three probes close it, and one failure opens it", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const { reflex, bodies, setAnswer } = await openBed(answering("", 403));
  for (let call = 0; call < 5; call++) expect(await ask(reflex)).toMatchObject({ is: "error" });
  expect(await ask(reflex)).toEqual({ is: "error", problem: expect.stringContaining("keep failing") });
  expect(bodies.length).toBe(5);
  expect(reflex.state).toBe("unavailable");

  vi.setSystemTime(Date.now() + 59_000);
  expect(await ask(reflex)).toMatchObject({ problem: expect.stringContaining("keep failing") });
  vi.setSystemTime(Date.now() + 1_000);
  setAnswer(answering(SAFE));
  expect(await ask(reflex)).toEqual({ is: "safe" });
  setAnswer(answering("", 403));
  expect(await ask(reflex)).toMatchObject({ problem: "it answered 403" });
  expect(await ask(reflex)).toMatchObject({ problem: expect.stringContaining("keep failing") });

  vi.setSystemTime(Date.now() + 60_000);
  setAnswer(answering(SAFE));
  for (let probe = 0; probe < 3; probe++) expect(await ask(reflex)).toEqual({ is: "safe" });
  // Closed: four failures do not open it.
  setAnswer(answering("", 403));
  for (let call = 0; call < 4; call++) await ask(reflex);
  setAnswer(answering(SAFE));
  expect(await ask(reflex)).toEqual({ is: "safe" });
});

// Cause: five long goals of one caller opened the breaker, and the goals of all others were refused for a minute.
test("a text that Reflex does not take says nothing about others", async () => {
  const { reflex, bodies, setAnswer } = await openBed(answering("", 422));
  for (let call = 0; call < 6; call++) expect(await ask(reflex)).toMatchObject({ problem: "it answered 422" });
  setAnswer(answering("", 413));
  for (let call = 0; call < 6; call++) expect(await ask(reflex)).toMatchObject({ is: "blocked", rule: "reflex.size" });
  setAnswer(answering(SAFE));
  expect(await ask(reflex)).toEqual({ is: "safe" });
  expect(bodies).toHaveLength(13);
});

// Cause: it waited inside the breaker for the probes of others, whatever its own signal and time said.
test("a call that comes during the probes ends when its caller leaves", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const { reflex, bodies, setAnswer } = await openBed(answering("", 422));
  for (let call = 0; call < 5; call++) await ask(reflex);
  vi.setSystemTime(Date.now() + 60_000);
  const held: ServerResponse[] = [];
  setAnswer((response) => void held.push(response));
  const probes = [ask(reflex), ask(reflex), ask(reflex)];
  await eventually(() => expect(bodies.length).toBe(8));
  const leaving = new AbortController();
  const fourth = ask(reflex, leaving.signal);
  leaving.abort();
  await expect(fourth).rejects.toThrow();
  for (const response of held) answering(SAFE)(response, 0);
  expect(await Promise.all(probes)).toEqual(Array(3).fill({ is: "safe" }));
});

test("64 calls are made at once, and the next one takes the place of one that has ended or was given up", async () => {
  let waiting: ServerResponse[] = [];
  const { reflex, bodies } = await openBed((response) => void waiting.push(response));
  const first = Array.from({ length: 64 }, () => ask(reflex));
  await eventually(() => expect(bodies).toHaveLength(64));
  const late = ask(reflex);
  const gone = new AbortController();
  const left = ask(reflex, gone.signal).catch((error: unknown) => error);
  gone.abort();
  expect(await left).toBeInstanceOf(DOMException);
  for (const response of waiting) answering(SAFE)(response, 0);
  expect(await Promise.all(first)).toEqual(Array(64).fill({ is: "safe" }));
  waiting = [];
  // It got a place when the others had ended.
  await eventually(() => expect(waiting).toHaveLength(1));
  expect(bodies).toHaveLength(65);
  for (const response of waiting) answering(SAFE)(response, 0);
  expect(await late).toEqual({ is: "safe" });
});
