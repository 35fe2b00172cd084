/** Agents: those that take their tasks, and those that apply their answers. */
import type { Log } from "../../../base/log.ts";
import type { TaskType } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import type { AgentAnswers, AgentPost } from "../../ports/dispatch/agents.ts";
import type { HandOverRef, HandOvers, Takers, WaitingTaskStore } from "../../ports/dispatch/hand-overs.ts";
import type { Runtime } from "../../shard/runtime.ts";
import type { TaskTokens } from "../tokens.ts";
import { Agents } from "./agents.ts";
import { createAgentAnswers } from "./answers.ts";

export interface CreateAgentsParts {
  readonly post: AgentPost;
  readonly store: Pick<WaitingTaskStore, "listCarried">;
  readonly tokens: TaskTokens;
  /** See {@link AgentsParts.maxInFlight}. */
  readonly maxInFlight: number;
  readonly log: Log;
}

/** Agents that nothing is published for yet. */
export interface CreatedAgents {
  readonly takers: Takers;
  /** Tasks are published from now on. */
  start(handOvers: HandOvers): AgentAnswers;
  stop(): void;
}

/** Kinds of agents: the task types that they do. */
const KINDS = Object.values(TASK_TYPES as Readonly<Record<string, TaskType>>)
  .filter(({ leaving }) => leaving?.carrier === "agents")
  .map(({ type }) => type);

export function createAgents(
  { shards, lifecycle }: Pick<Runtime, "shards" | "lifecycle">,
  { post, store, tokens, maxInFlight, log }: CreateAgentsParts,
): CreatedAgents {
  // Who may write to a channel may answer for every tenant, but not for agents of another kind, nor as a worker.
  const holderOf = (kind: string): string => `@agents/${kind}`;
  const seal = (kind: string, ref: HandOverRef): string => tokens.seal(holderOf(kind), ref);
  const agents = new Agents({ kinds: KINDS, maxInFlight, post, seal, store, shards, lifecycle, log });
  return {
    takers: agents,
    start(handOvers) {
      agents.start(handOvers);
      return createAgentAnswers({
        open: (kind, token) => tokens.open(holderOf(kind), token),
        owns: (runId) => shards.epochOf(shards.shardOf(runId)) !== undefined,
        ...{ handOvers, log },
      });
    },
    stop: () => agents.stop(),
  };
}
