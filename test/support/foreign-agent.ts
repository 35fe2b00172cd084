/** An agent that nobody here could have influenced: it speaks to Redis over a plain socket. */
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** What Redis answers. */
type Reply = string | number | null | readonly Reply[] | Error;

/** A request as the agent got it. */
export interface SeenRequest {
  readonly correlation_id: string;
  readonly task_type: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly execution_id: string;
  readonly task_id: string;
  readonly attempt: number;
  readonly timeout: number | null;
  readonly workflow_correlation_id: string | null;
}

/** A connection to Redis. */
export interface PlainRedis {
  call(...command: readonly string[]): Promise<Reply>;
  /** Calls `listener` with what is published on a channel. */
  subscribe(channel: string, listener: (text: string) => void): Promise<void>;
  close(): void;
}

/** Connects; it is closed with the test. */
export async function connectPlainRedis(port: number): Promise<PlainRedis> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  // A server that is killed breaks it.
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  const waiting: ((reply: Reply) => void)[] = [];
  const listeners = new Map<string, (text: string) => void>();
  readReplies(socket, (reply) => {
    if (Array.isArray(reply) && reply[0] === "message") listeners.get(String(reply[1]))?.(String(reply[2]));
    else waiting.shift()?.(reply);
  });
  const call = (...command: readonly string[]): Promise<Reply> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.write(
        `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`,
      );
    });
  return {
    call,
    subscribe: async (channel, listener) => {
      listeners.set(channel, listener);
      await call("SUBSCRIBE", channel);
    },
    close: () => socket.destroy(),
  };
}

/** An agent on a channel. `onRequest` is called with each request; `answer` publishes. */
export async function openForeignAgent(
  port: number,
  channels: { readonly requests: string; readonly responses: string },
  onRequest: (request: SeenRequest, answer: (message: object | string) => Promise<number>) => void = () => {},
) {
  const [listener, speaker] = await Promise.all([connectPlainRedis(port), connectPlainRedis(port)]);
  const seen: SeenRequest[] = [];
  const answer = async (message: object | string): Promise<number> =>
    Number(
      await speaker.call(
        "PUBLISH",
        channels.responses,
        typeof message === "string" ? message : JSON.stringify(message),
      ),
    );
  await listener.subscribe(channels.requests, (text) => {
    const request = JSON.parse(text) as SeenRequest;
    seen.push(request);
    onRequest(request, answer);
  });
  return { seen, answer, close: () => listener.close() };
}

function readReplies(socket: Socket, take: (reply: Reply) => void): void {
  let buffer = Buffer.alloc(0);
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      const read = readReply(buffer, 0);
      if (read === null) return;
      buffer = buffer.subarray(read.end);
      take(read.reply);
    }
  });
}

/** The reply at `from`; null: it is not complete. */
function readReply(buffer: Buffer, from: number): { readonly reply: Reply; readonly end: number } | null {
  const line = buffer.indexOf("\r\n", from);
  if (line < 0) return null;
  const text = buffer.toString("utf8", from + 1, line);
  const end = line + 2;
  switch (String.fromCharCode(buffer[from] ?? 0)) {
    case "+":
      return { reply: text, end };
    case "-":
      return { reply: new Error(text), end };
    case ":":
      return { reply: Number(text), end };
    case "$": {
      const length = Number(text);
      if (length < 0) return { reply: null, end };
      if (buffer.length < end + length + 2) return null;
      return { reply: buffer.toString("utf8", end, end + length), end: end + length + 2 };
    }
    default: {
      const replies: Reply[] = [];
      let at = end;
      for (let index = 0; index < Number(text); index += 1) {
        const read = readReply(buffer, at);
        if (read === null) return null;
        replies.push(read.reply);
        at = read.end;
      }
      return { reply: Number(text) < 0 ? null : replies, end: at };
    }
  }
}
