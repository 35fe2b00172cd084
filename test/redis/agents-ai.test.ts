/** The ai agent against servers with the interfaces of OpenAI and Anthropic, and without any: recorded answers. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { createAiHandler } from "../../examples/agents/ai/handle.ts";
import { readProviders } from "../../examples/agents/ai/providers.ts";
import { createRecordedModel } from "../../examples/agents/ai/recorded.ts";
import { findAgentProblems, openAgentBed } from "../support/agents.ts";

const port = inject("redis");
const KEY = "key-of-the-test-4711";

type Respond = (response: ServerResponse, body: Readonly<Record<string, unknown>>, request: IncomingMessage) => void;

/** A provider's server, and what it was asked. */
async function openProvider(respond: Respond) {
  const calls: { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: unknown }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk));
    request.on("end", () => {
      calls.push({ path: request.url ?? "", headers: request.headers, body: JSON.parse(text) });
      respond(response, JSON.parse(text), request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { calls, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/` };
}

const reply = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
};

const openai = (content: string, finish_reason = "stop") => ({
  model: "served-1",
  choices: [{ message: { role: "assistant", content }, finish_reason }],
  usage: { prompt_tokens: 7, completion_tokens: 3 },
});

async function openBed(env: Readonly<Record<string, string>>, recorded = true) {
  const bed = openAgentBed(port, "ai", "pubsub");
  await bed.open(createAiHandler({ providers: readProviders(env), recorded: recorded ? createRecordedModel() : null }));
  return {
    ...bed,
    async call(parameters: unknown, more?: Readonly<Record<string, unknown>>) {
      expect(findAgentProblems("ai-parameters", parameters)).toBe("");
      const answer = await bed.call(parameters, more);
      if (answer.status === "completed") expect(findAgentProblems("ai-output", answer.output)).toBe("");
      // Neither answers nor logs have the key.
      expect(JSON.stringify(answer) + bed.log.join()).not.toContain(KEY);
      return answer;
    },
  };
}

describe.skipIf(port === 0)("the ai agent", () => {
  test("asks a server with the interface of OpenAI", async () => {
    const { url, calls } = await openProvider((response) => reply(response, 200, openai("fine")));
    const bed = await openBed({ OPENAI_BASE_URL: url, OPENAI_API_KEY: KEY, OPENAI_MODEL: "small" });
    const { output } = await bed.call({ prompt: "How?", system: "Be short.", max_tokens: 20, temperature: 0.5 });
    expect(output).toEqual({
      ...{ content: "fine", provider: "openai", model: "served-1", finish_reason: "stop" },
      usage: { input_tokens: 7, output_tokens: 3 },
    });
    expect(calls[0]).toMatchObject({
      path: "/v1/chat/completions",
      headers: { authorization: `Bearer ${KEY}` },
      body: {
        ...{ model: "small", max_tokens: 20, temperature: 0.5 },
        messages: [
          { role: "system", content: "Be short." },
          { role: "user", content: "How?" },
        ],
      },
    });
  });

  test("asks a server with the interface of Anthropic", async () => {
    const body = {
      model: "served-2",
      content: [
        { type: "text", text: '{"score": ' },
        { type: "text", text: "0.5}" },
      ],
      stop_reason: "end_turn",
      usage: { input_tokens: 5, output_tokens: 4 },
    };
    const { url, calls } = await openProvider((response) => reply(response, 200, body));
    const bed = await openBed({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: KEY });
    const parameters = { provider: "anthropic", prompt: "Rate it", model: "claude-3-sonnet", response_format: "json" };
    const { output } = await bed.call(parameters);
    expect(output).toMatchObject({ content: { score: 0.5 }, provider: "anthropic", model: "served-2" });
    expect(calls[0]).toMatchObject({
      path: "/v1/messages",
      headers: { "x-api-key": KEY, "anthropic-version": "2023-06-01" },
      body: { model: "claude-3-sonnet", max_tokens: 4096, system: expect.stringContaining("JSON") },
    });
  });

  test("parses JSON, also out of a code fence, and an answer that is none may be tried again", async () => {
    const answers = ['{"a": 1}', '```json\n{"a": 2}\n```', "Sure! Here it is.", '{"a": 3'];
    const { url, calls } = await openProvider((response) => {
      const text = answers[calls.length - 1] ?? "";
      reply(response, 200, openai(text, text.endsWith("3") ? "length" : "stop"));
    });
    const bed = await openBed({ OPENAI_BASE_URL: url });
    const ask = () => bed.call({ prompt: "JSON, please", response_format: "json" });
    expect((await ask()).output.content).toEqual({ a: 1 });
    expect((await ask()).output.content).toEqual({ a: 2 });
    const error = { type: "RESPONSE_FORMAT_INVALID", retryable: true };
    expect((await ask()).error).toMatchObject({ ...error, message: "the model did not answer with JSON" });
    expect((await ask()).error).toMatchObject({ ...error, message: expect.stringContaining("max_tokens") });
    expect(calls[0]).toMatchObject({ body: { response_format: { type: "json_object" } } });
    expect(calls[0]?.headers.authorization).toBeUndefined();
  });

  test("JSON that the service would refuse may be tried again, and large integers keep their digits", async () => {
    const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    const refused: readonly (readonly [text: string, problem: string])[] = [
      [nested(5_000), "it nests 5000 levels deep; the limit is 62"],
      ['{"a": 1, "b": {"a": 1, "\\u0061": 2}}', "a key appears twice in one object"],
      ['["a\\u0000b"]', "it has text with NUL"],
      ['["\\ud800"]', "it has text with half of a surrogate pair"],
      ["[1e400]", "it has the number Infinity"],
    ];
    const texts = [...refused.map(([text]) => text), nested(62), '{"a": [9007199254740993, -1, 1.5e3], "b:{": "\\"["}'];
    const { url, calls } = await openProvider((response) =>
      reply(response, 200, openai(texts[calls.length - 1] ?? "")),
    );
    const bed = await openBed({ OPENAI_BASE_URL: url });
    const ask = () => bed.call({ prompt: "JSON, please", response_format: "json" });
    for (const [, problem] of refused)
      expect((await ask()).error).toMatchObject({
        ...{ type: "RESPONSE_FORMAT_INVALID", retryable: true },
        message: `the model's JSON cannot be taken: ${problem}`,
      });
    expect((await ask()).status).toBe("completed");
    expect((await ask()).output.content).toEqual({ a: ["9007199254740993", -1, 1500], "b:{": '"[' });
  });

  test.each([
    [429, { error: { message: "slow down" } }, { "retry-after": "7" }, { retryable: true, next_retry_delay: 7 }],
    [503, "<html>", {}, { type: "PROVIDER_BUSY", message: "openai answered 503", retryable: true }],
    [
      401,
      { error: { message: `bad key ${KEY}, sk-abcdef1234` } },
      {},
      { message: "openai answered 401: bad key …, …" },
    ],
    [400, { error: { message: "no such model" } }, {}, { type: "PROVIDER_REFUSED", retryable: false }],
    [302, "", { location: "http://127.0.0.1:1/" }, { type: "PROVIDER_AWAY", retryable: true }],
    [200, "nonsense", {}, { type: "PROVIDER_ANSWER_INVALID", retryable: true }],
    [200, "x".repeat(9_000_000), {}, { type: "OUTPUT_TOO_LARGE", retryable: false }],
  ])("an answer %s is a failure that says whether to try again", async (status, body, headers, error) => {
    const { url } = await openProvider((response) => reply(response, status, body, headers));
    const bed = await openBed({ OPENAI_BASE_URL: url, OPENAI_API_KEY: KEY });
    expect((await bed.call({ prompt: "x" })).error).toMatchObject(error);
  });

  test("a server that is away or silent is a failure that may pass", async () => {
    const away = await openBed({ OPENAI_BASE_URL: "http://127.0.0.1:9/v1", OPENAI_API_KEY: KEY });
    expect((await away.call({ prompt: "x" })).error).toMatchObject({ type: "PROVIDER_AWAY", retryable: true });
    let closed = false;
    const silent = await openProvider((response) => void response.on("close", () => (closed = true)));
    const bed = await openBed({ OPENAI_BASE_URL: silent.url });
    expect((await bed.call({ prompt: "x" }, { timeout: 0.3 })).error).toMatchObject({ type: "TIMEOUT" });
    await expect.poll(() => closed).toBe(true);
  });

  test("without a provider answers from recordings, says so, and is the same each time", async () => {
    const bed = await openBed({});
    const parameters = {
      ...{ provider: "anthropic", model: "claude-3-sonnet", response_format: "json", max_tokens: 2000 },
      prompt: "Analyze this data and identify patterns",
    };
    const { output } = await bed.call(parameters);
    expect(output).toMatchObject({ provider: "recorded", model: "recorded", content: { confidence: 0.8 } });
    expect((await bed.call(parameters)).output).toEqual(output);
    const written = await bed.call({ prompt: 'Write an outline.\nTopic: the "old" harbor\n' });
    expect(written.output.content).toContain('1. Why the "old" harbor\n');
    const seo = { prompt: 'For search engines.\nTopic: the "old" harbor\n', response_format: "json" };
    expect((await bed.call(seo)).output.content.title).toBe('the "old" harbor: what matters');
    expect((await bed.call({ prompt: "Generate summary" })).output.content).toContain("recorded answer");
  });

  test("without recordings, a provider that is not configured is a failure with the cure", async () => {
    const bed = await openBed({}, false);
    expect((await bed.call({ provider: "anthropic", prompt: "x" })).error).toMatchObject({
      type: "PROVIDER_NOT_CONFIGURED",
      message: "anthropic is not configured; set ANTHROPIC_API_KEY for the agent",
      retryable: false,
    });
  });
});
