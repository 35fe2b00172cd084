/** Agents over Redis: their tasks are published, and their answers applied. Nothing is opened without a server. */
import type { Log } from "../../base/log.ts";
import type { AgentPostMetrics, RedisAgentPost } from "../../bus/redis/agents/post.ts";
import { type RedisMessage, type Verdict, withPrefix } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import type { AgentAnswer, AnswerResult } from "../../engine/ports/dispatch/agents.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";
import type { RedisMessages } from "./redis-messages.ts";

/** Counts what passes between the service and agents. */
export interface AgentMetrics extends AgentPostMetrics {
  answered(kind: string, result: AnswerResult | "refused"): void;
}

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
  const [{ openAgentPost }, { readAnswer }, { AnswerRefused }, { createBusCommands }] = await Promise.all([
    import("../../bus/redis/agents/post.ts"),
    import("../../bus/redis/agents/answers.ts"),
    import("../../bus/redis/agents/refused.ts"),
    import("../../api/bus-commands.ts"),
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
      const { agentAnswers: answers, runControl, handOvers, cluster, peers } = engine;
      if (answers === null) return;
      const commands = createBusCommands({
        ...{ instanceId, runControl, handOvers, cluster, sender: peers.sender },
        maxMessageBytes: config.limits.maxMessageBytes,
      });
      const apply = async (answer: AgentAnswer, { entryId }: RedisMessage): Promise<AnswerResult> => {
        const result = await answers.take(answer);
        const { outcome } = answer;
        // Every instance hears what is published; an entry of a Stream is read by one.
        if (result !== "elsewhere" || entryId === null) return result;
        const ref = answers.open(answer.kind, answer.token);
        // Who watches a run at its owner misses a note, and the end comes all the same.
        if (outcome === null || ref === null) return "progress";
        const named = { taskId: "", attempt: null, begunAt: 0, place: null };
        return (await commands.answer({ ...ref, ...named }, outcome)) === "unknown" ? "unknown" : "accepted";
      };
      const take = async (kind: string, message: RedisMessage): Promise<Verdict> => {
        try {
          const { answer, problem } = readAnswer(kind, message.value, config.limits.maxPayloadBytes);
          const ref = problem === null ? null : answers.open(kind, answer.token);
          // Once it is applied, nobody knows the hand-over any more.
          const task = ref === null ? null : answers.taskOf(ref);
          const result = await apply(answer, message);
          if (result === "elsewhere") return "elsewhere";
          metrics.answered(kind, problem !== null && result === "accepted" ? "refused" : result);
          if (problem !== null) {
            const { source } = message;
            const runId = ref?.runId ?? null;
            log.warn("an answer of an agent cannot be taken", { source, runId, task, result, reason: problem });
          }
          return "done";
        } catch (error) {
          if (!(error instanceof AnswerRefused)) {
            log.warn("an answer of an agent could not be applied; it is tried again", {
              source: message.source,
              error,
            });
            return "elsewhere";
          }
          metrics.answered(kind, "refused");
          const { source } = message;
          log.warn("an answer of an agent does not say whose it is: it is dropped", { source, reason: error.message });
          return "done";
        }
      };
      for (const { kind, responses } of kinds)
        for (const name of responses)
          messages.on(withPrefix(name, prefix), (all) => all.map((message) => take(kind, message)));
    },
  };
}
