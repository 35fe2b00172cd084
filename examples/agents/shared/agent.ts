/**
 * An agent: reads tasks from `…-requests`, has a function do them, and answers on `…-responses`. The function gets
 * parameters that fit the schema and a signal that is aborted on timeout, cancel, and stop; it returns the output or
 * throws an {@link AgentError}.
 */
import { hostname } from "node:os";
import type { Redis } from "ioredis";
import { Desk, type Handle, type Log } from "./desk.ts";
import { type Intake, openAnswers } from "./intake.ts";
import type { JsonObject } from "./json.ts";
import { type Check, loadCheck } from "./messages.ts";
import { openPubSub } from "./pubsub.ts";
import { connectRedis, toChannel } from "./redis.ts";
import { openStream } from "./stream.ts";

export interface AgentDefinition {
  readonly kind: "data" | "ai" | "exec";
  readonly handle: Handle;
  /** Tasks at a time unless AGENT_CONCURRENCY says otherwise. */
  readonly concurrency: number;
}

export interface Agent {
  /** Takes no more tasks, gives those at work `graceMs` to end, delivers all answers, and closes the connections. */
  stop(graceMs: number): Promise<void>;
}

/** How many requests of a pub/sub channel wait for a slot. A stream keeps its own. */
const MAX_WAITING = 1_000;

/** Starts an agent with the settings in `env`; see the README. Resolves when it listens. */
export async function openAgent(definition: AgentDefinition, env: NodeJS.ProcessEnv, log: Log): Promise<Agent> {
  const { kind, handle } = definition;
  const name = env["AGENT_NAME"] || `${hostname()}-${process.pid}`;
  const requests = toChannel(env["AGENT_REQUESTS"] || `${kind}-requests`);
  const responses = toChannel(env["AGENT_RESPONSES"] || `stream:${kind}-responses`);
  const control = env["AGENT_CONTROL"] || `${kind}-control`;
  const client = connectRedis(env, name);
  const listener = connectRedis(env, name);
  const answers = openAnswers(client, responses, log);
  watch(client, log);
  // Its errors are those of the first connection.
  listener.on("error", () => {});
  const desk = new Desk({
    handle,
    log,
    checkRequest: loadCheck("request"),
    checkParameters: loadCheck(`${kind}-parameters`),
    concurrency: toNumber(env, "AGENT_CONCURRENCY", definition.concurrency),
    maxWaiting: requests.kind === "stream" ? 0 : MAX_WAITING,
    maxAnswerBytes: toNumber(env, "AGENT_MAX_ANSWER_BYTES", 2 * 1024 * 1024),
  });
  const checkControl = loadCheck("control");
  listener.on("message", (from: string, text: string) => {
    if (from === control) cancel(desk, checkControl, text, log);
  });
  await listener.subscribe(control);
  const shared = { client, name, desk, answers, log };
  let reader: Redis | null = null;
  let intake: Intake;
  if (requests.kind === "pubsub") intake = await openPubSub({ ...shared, subscriber: listener, channel: requests.key });
  else {
    reader = connectRedis(env, name, { resends: false });
    reader.on("error", () => {});
    const group = env["AGENT_GROUP"] || `${kind}-agents`;
    const idleMs = 1000 * toNumber(env, "AGENT_IDLE_SECONDS", 30);
    intake = await openStream({ ...shared, reader, key: requests.key, group, idleMs });
  }
  log("info", "agent listens", { kind, name, requests: requests.key, responses: responses.key });
  let stopped: Promise<void> | null = null;
  const stop = async (graceMs: number): Promise<void> => {
    await intake.stop();
    await desk.stop(graceMs);
    intake.close?.();
    for (const redis of [reader, listener, client]) redis?.disconnect();
  };
  return { stop: (graceMs) => (stopped ??= stop(graceMs)) };
}

/** Runs an agent until SIGTERM or SIGINT; a second signal ends it at once. */
export async function runAgent(definition: AgentDefinition): Promise<void> {
  const { env } = process;
  const log: Log = (level, message, fields = {}) =>
    console.error(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
  const agent = await openAgent(definition, env, log);
  const graceMs = 1000 * toNumber(env, "AGENT_GRACE_SECONDS", 30);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    log("info", "agent stops");
    agent.stop(graceMs).then(
      () => process.exit(0),
      (error: unknown) => {
        log("error", "agent did not stop in good order", { reason: String(error) });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

/** A positive number from the environment. Throws for anything else, and names the variable. */
export function toNumber(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} is "${text}"; write a number above 0`);
  return value;
}

function cancel(desk: Desk, check: Check, text: string, log: Log): void {
  try {
    const message = JSON.parse(text) as JsonObject;
    check(message);
    const { correlation_id, reason } = message as { readonly correlation_id: string; readonly reason?: string | null };
    desk.cancel(correlation_id, reason || "the task was canceled");
  } catch {
    log("warn", "a control message is ignored, because it is not understood");
  }
}

function watch(client: Redis, log: Log): void {
  let isAway = false;
  client.on("error", (error: Error) => {
    if (!isAway) log("warn", "Redis does not answer", { reason: error.message || error.name });
    isAway = true;
  });
  client.on("ready", () => {
    if (isAway) log("info", "Redis answers again");
    isAway = false;
  });
}
