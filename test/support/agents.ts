/** What tests of agents share: the schemas of their messages, and a foreign party that speaks to them through Redis. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Redis } from "ioredis";
import { expect, onTestFinished } from "vitest";
import { type Agent, openAgent } from "../../examples/agents/shared/agent.ts";
import type { Handle } from "../../examples/agents/shared/desk.ts";
import { eventually } from "./eventually.ts";

export type AgentKind = "data" | "ai" | "exec";

const ajv = new Ajv2020({ allErrors: true, strictRequired: false, allowUnionTypes: true, strictTypes: false });
const checks = new Map<string, (value: unknown) => string>();

/** What is wrong with a value, by the schema `contracts/agents/NAME.schema.json`; empty: nothing. */
export function findAgentProblems(name: string, value: unknown): string {
  let check = checks.get(name);
  if (check === undefined) {
    const fits = ajv.compile(JSON.parse(readFileSync(`contracts/agents/${name}.schema.json`, "utf8")));
    check = (each) => (fits(each) ? "" : ajv.errorsText(fits.errors));
    checks.set(name, check);
  }
  return check(value);
}

/** An answer as it came from Redis. It fits its schema. */
export interface Answer {
  readonly correlation_id: string;
  readonly status: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  readonly output: any;
  readonly error: { readonly type: string; readonly message: string; readonly retryable: boolean } | null;
}

/** The service's side of the channels of one agent, with names of its own. */
export interface AgentBed {
  readonly redis: Redis;
  /** Variables for the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** The request channel, with its prefix. */
  readonly requests: string;
  /** Sends a request; returns its correlation id. */
  send(parameters: unknown, more?: Readonly<Record<string, unknown>>): Promise<string>;
  sendText(text: string): Promise<void>;
  cancel(correlationId: string, reason?: string): Promise<void>;
  /** All answers so far. */
  answers(): Promise<readonly Answer[]>;
  /** Waits for the answer to a request. */
  answer(correlationId: string, timeoutMs?: number): Promise<Answer>;
  /** Sends a request and waits for its answer. */
  call(parameters: unknown, more?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Starts an agent in this process; it is stopped at the end of the test. */
  open(handle: Handle, more?: Readonly<Record<string, string>>): Promise<Agent>;
  /** Lines that these agents logged. */
  readonly log: string[];
}

/** Opens channels on the server at `port`. Requests that the test makes fit their schema unless sent as text. */
export function openAgentBed(port: number, kind: AgentKind, over: "pubsub" | "stream"): AgentBed {
  const redis = new Redis(port, "127.0.0.1", { maxRetriesPerRequest: null });
  // Tests that stop the server have errors here.
  redis.on("error", () => {});
  onTestFinished(() => void redis.disconnect());
  const prefix = `t${randomBytes(4).toString("hex")}:`;
  const [requests, responses] = [`${prefix}${kind}-requests`, `${prefix}${kind}-responses`];
  const log: string[] = [];
  const env = {
    REDIS_URL: `redis://127.0.0.1:${port}`,
    AGENT_REQUESTS: over === "stream" ? `stream:${requests}` : requests,
    AGENT_RESPONSES: `stream:${responses}`,
    AGENT_CONTROL: `${prefix}${kind}-control`,
  };
  const bed: AgentBed = {
    ...{ redis, env, log, requests: env.AGENT_REQUESTS },
    async sendText(text) {
      if (over === "stream") await redis.xadd(requests, "*", "message", text);
      else await redis.publish(requests, text);
    },
    async send(parameters, more = {}) {
      const correlation_id = randomBytes(8).toString("hex");
      const own = { correlation_id, task_type: kind, parameters, execution_id: "run-1", task_id: "task-1" };
      const request = { ...own, attempt: 0, timeout: 30, workflow_correlation_id: null, ...more };
      expect(findAgentProblems("request", request)).toBe("");
      await bed.sendText(JSON.stringify(request));
      return request.correlation_id;
    },
    async cancel(correlation_id, reason) {
      const message = { correlation_id, ...(reason === undefined ? {} : { reason }) };
      expect(findAgentProblems("control", message)).toBe("");
      await redis.publish(env.AGENT_CONTROL, JSON.stringify(message));
    },
    async answers() {
      return (await redis.xrange(responses, "-", "+")).map(([, fields]) => {
        expect(fields).toHaveLength(2);
        expect(fields[0]).toBe("message");
        const answer = JSON.parse(fields[1] ?? "") as Answer;
        expect(findAgentProblems("response", answer)).toBe("");
        return answer;
      });
    },
    answer: (correlationId, timeoutMs = 20_000) =>
      eventually(
        async () => {
          const found = (await bed.answers()).find((each) => each.correlation_id === correlationId);
          return found ?? expect.unreachable(`no answer to ${correlationId}; the log: ${log.join("\n")}`);
        },
        { timeoutMs },
      ),
    call: async (parameters, more) => bed.answer(await bed.send(parameters, more)),
    async open(handle, more = {}) {
      const agent = await openAgent({ kind, handle, concurrency: 2 }, { ...env, ...more }, (level, message, fields) =>
        log.push(JSON.stringify({ level, message, ...fields })),
      );
      onTestFinished(() => agent.stop(0));
      return agent;
    },
  };
  return bed;
}
