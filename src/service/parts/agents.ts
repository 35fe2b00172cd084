/** Agents over Redis: their tasks are published, and their answers applied. Nothing is opened without a server. */
import type { Log } from "../../base/log.ts";
import type { AgentPostMetrics, RedisAgentPost } from "../../bus/redis/agents/post.ts";
import type { AgentAnswerMetrics } from "../../bus/redis/agents/take-answers.ts";
import { STREAM_PREFIX, withPrefix } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";
import type { RedisMessages } from "./redis-messages.ts";

/** Agents, before the engine runs. */
export interface AgentsPart {
  /** Null without Redis. */
  readonly post: RedisAgentPost | null;
  /** The engine runs: answers are taken once the messages start. */
  attach(
    engine: Pick<RunningEngine, "agentAnswers" | "runControl" | "handOvers" | "cluster" | "peers">,
    messages: Pick<RedisMessages, "on" | "onceNeeded">,
  ): void;
}

export async function openAgents(config: Config, instanceId: string, log: Log, parts: Parts): Promise<AgentsPart> {
  const address = redisAddressOf(config);
  if (address === null) return { post: null, attach() {} };
  const metrics: AgentPostMetrics & AgentAnswerMetrics = {
    requested: (type, result) => parts.metrics.counter("orchestrator_agent_requests_total", type, result).add(),
    answered: (type, result) => parts.metrics.counter("orchestrator_agent_answers_total", type, result).add(),
  };
  const [{ openAgentPost }, { createTakeAnswers }, { createCommands }] = await Promise.all([
    import("../../bus/redis/agents/post.ts"),
    import("../../bus/redis/agents/take-answers.ts"),
    import("./bus-commands.ts"),
  ]);
  const { control, ...names } = config.agents;
  const { channelPrefix: prefix = "" } = config.redis;
  const kinds = [
    { kind: "data", requests: names.dataRequests, responses: names.dataResponses },
    { kind: "ai", requests: names.aiRequests, responses: names.aiResponses },
    { kind: "exec", requests: names.execRequests, responses: names.execResponses },
  ];
  const channels = new Map(
    kinds.map(({ kind, requests }) => [
      kind,
      { requests: withPrefix(requests, prefix), control: control ? `${prefix}${kind}-control` : null },
    ]),
  );
  const post = openAgentPost({ address, channels, metrics, log });
  parts.onClose(() => post.close());
  return {
    post,
    attach(engine, messages) {
      const { agentAnswers: answers } = engine;
      if (answers === null) return;
      const take = createTakeAnswers({
        ...{ answers, metrics, log, commands: createCommands(config, instanceId, engine) },
        maxBytes: config.limits.maxPayloadBytes,
      });
      const answered = kinds.flatMap(({ kind, responses }) =>
        responses.map((name) => [withPrefix(name, prefix), take(kind)] as const),
      );
      const streams = new Map(answered.filter(([name]) => name.startsWith(STREAM_PREFIX)));
      for (const [name, handle] of answered) if (!streams.has(name)) messages.on(name, handle);
      const names = [...streams.keys()].map((name) => name.slice(STREAM_PREFIX.length));
      if (names.length > 0) messages.onceNeeded(streams, (open) => post.whenUsed(names, open));
    },
  };
}
