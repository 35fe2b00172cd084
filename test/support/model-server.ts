/**
 * A provider of models that speaks both protocols: chat completions of OpenAI (`/v1/chat/completions`) and messages of
 * Anthropic (`/v1/messages`), as streams of events. A test sees each request, and says how it is answered.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { createQueue } from "../../src/base/queue.ts";

/** A call that has arrived. */
export interface ModelRequest {
  readonly protocol: "openai" | "anthropic";
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: {
    readonly model: string;
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly system?: string;
    readonly max_tokens: number;
    readonly temperature?: number;
    readonly response_format?: unknown;
  };
  /** Resolves when the caller has closed the connection. */
  readonly closed: Promise<void>;
  /** Says the text and ends the answer. */
  say(text: string, how?: Partial<Ending>): void;
  /** Begins an answer. */
  begin(): void;
  /** Adds text to an answer that has begun. */
  add(text: string): void;
  /** Ends an answer that has begun. */
  end(how?: Partial<Ending>): void;
  /** Closes the connection in the middle of the answer. */
  cut(): void;
  /** Ends the response without a word about the end of the answer. */
  hangUp(): void;
  /** Sends bytes as they are. */
  raw(text: string): void;
  refuse(status: number, error: object, headers?: Readonly<Record<string, string>>): void;
}

/** How an answer ends. */
export interface Ending {
  readonly finishReason: string;
  /** Null: nothing is reported. */
  readonly usage: { readonly input: number; readonly output: number; readonly cached?: number } | null;
}

/** A running provider. */
export interface ModelServer {
  readonly url: string;
  /** Calls so far. */
  readonly count: () => number;
  /** The next call, unless a script answers it. */
  next(): Promise<ModelRequest>;
  /** Answers the calls from now on. */
  script(answer: (request: ModelRequest, index: number) => void): void;
}

const WAIT_MS = 20_000;
const USAGE: NonNullable<Ending["usage"]> = { input: 10, output: 5 };

/** Serves until the end of the test. */
export async function serveModels(): Promise<ModelServer> {
  const requests = createQueue<ModelRequest>(new AbortController().signal);
  let script: Parameters<ModelServer["script"]>[0] | null = null;
  let count = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const protocol = request.url === "/v1/messages" ? "anthropic" : "openai";
      const body = JSON.parse(Buffer.concat(parts).toString()) as ModelRequest["body"];
      const closed = new Promise<void>((resolve) => response.once("close", () => resolve()));
      const said = protocol === "openai" ? openAiAnswer(response, body.model) : anthropicAnswer(response, body.model);
      const arrived: ModelRequest = {
        ...{ protocol, headers: request.headers, body, closed },
        ...said,
        say(text, how) {
          said.begin();
          said.add(text);
          said.end(how);
        },
        cut: () => void setImmediate(() => response.destroy()),
        hangUp: () => void response.end(),
        raw: (text) => void response.write(text),
        refuse: (status, error, headers = {}) =>
          void response
            .writeHead(status, { "content-type": "application/json", ...headers })
            .end(JSON.stringify(error)),
      };
      count += 1;
      if (script === null) requests.push(arrived);
      else script(arrived, count - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    next: async () => {
      const request = await requests.take(WAIT_MS);
      if (request === undefined) throw new Error("no model was asked");
      return request;
    },
    script: (answer) => {
      script = answer;
    },
  };
}

type Answer = Pick<ModelRequest, "begin" | "add" | "end">;

function openAiAnswer(response: ServerResponse, model: string): Answer {
  const send = (event: object): void =>
    void response.write(
      `data: ${JSON.stringify({ id: "c-1", object: "chat.completion.chunk", created: 1, model, ...event })}\n\n`,
    );
  const choice = (delta: object, finish: string | null = null): void =>
    send({ choices: [{ index: 0, delta, finish_reason: finish }] });
  return {
    begin() {
      response.writeHead(200, { "content-type": "text/event-stream" });
      choice({ role: "assistant", content: "" });
    },
    add: (content) => choice({ content }),
    end({ finishReason = "stop", usage = USAGE } = {}) {
      choice({}, finishReason);
      if (usage !== null) {
        const { input, output, cached = 0 } = usage;
        const details = { prompt_tokens_details: { cached_tokens: cached } };
        const counts = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, ...details };
        send({ choices: [], usage: counts });
      }
      response.end("data: [DONE]\n\n");
    },
  };
}

function anthropicAnswer(response: ServerResponse, model: string): Answer {
  const send = (event: { readonly type: string; readonly [key: string]: unknown }): void =>
    void response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  return {
    begin() {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const usage = { input_tokens: USAGE.input, output_tokens: 1 };
      const message = { id: "m-1", type: "message", role: "assistant", content: [], model, stop_reason: null, usage };
      send({ type: "message_start", message });
      send({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
    },
    add: (text) => send({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
    end({ finishReason = "end_turn", usage = USAGE } = {}) {
      send({ type: "content_block_stop", index: 0 });
      // Counts of the output are totals so far, and come more than once.
      for (const output of [2, usage?.output ?? 0])
        send({ type: "message_delta", delta: { stop_reason: finishReason }, usage: { output_tokens: output } });
      send({ type: "message_stop" });
      response.end();
    },
  };
}
