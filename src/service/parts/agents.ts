/** Agents over Redis: their tasks are published, and their answers applied. Nothing is opened without a server. */
import type { Log } from "../../base/log.ts";
import type { AgentPostMetrics, RedisAgentPost } from "../../bus/redis/agents/post.ts";
import type { AgentAnswerMetrics } from "../../bus/redis/agents/take-answers.ts";
import { withPrefix } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";
import type { RedisMessages } from "./redis-messages.ts";

/** Counts what passes between the service and agents. */
export interface AgentMetrics extends AgentPostMetrics, AgentAnswerMetrics {}

/** Agents, before the engine runs. */
export interface AgentsPart {
  /** Null without Redis. */
  readonly post: RedisAgentPost | null;
  /** The engine runs: answers are taken once the messages start. */
  attach(
    engine: Pick<RunningEngine, "agentAnswers" | "runControl" | "handOvers" | "cluster" | "peers">,
    messages: Pick<RedisMessages, "on">,
  ): void;
}

export interface AgentsNeeds {
  readonly instanceId: string;
  readonly metrics: AgentMetrics;
}

export async function openAgents(config: Config, needs: AgentsNeeds, log: Log, parts: Parts): Promise<AgentsPart> {
  const address = redisAddressOf(config);
  if (address === null) return { post: null, attach() {} };
  const { instanceId, metrics } = needs;
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
      for (const { kind, responses } of kinds)
        for (const name of responses) messages.on(withPrefix(name, prefix), take(kind));
    },
  };
}
