import type { Leaving } from "../define.ts";

/** How tasks of agents leave: to the agents of that kind, which get the parameters as they are. */
export function toAgents(kind: string): Leaving {
  return { carrier: "agents", toWork: (parameters) => ({ destination: kind, handler: kind, input: parameters }) };
}

/** How long an agent has by default, milliseconds: one that dies says nothing. */
export const AGENT_TIMEOUT_MS = 600_000;

/** What the reference says about all of them. */
export const ABOUT_AGENTS =
  "Needs Redis. The task is published on the channel of its type (`agents.*_requests`) and ends with the agent's answer; see [operate/redis.md](operate/redis.md#agents). It is `SCHEDULED` until an agent has heard it, then `RUNNING`. While no agent listens, or Redis is away, it waits and uses up no attempt; `schedule_to_start_timeout` bounds that. Over a Stream it is `RUNNING` once it is in the Stream, and `timeout` begins after `schedule_to_start_timeout` (an hour by default). `timeout` is 10 minutes unless the task sets one. Progress that the agent reports counts as a sign of life for `heartbeat_timeout`. An error is retried as the retry policy says unless the agent says that it is not retryable. An answer that cannot be taken, such as one that is too large or nests too deep, fails the attempt with `ANSWER_INVALID` and the reason. When the run is canceled, it is CANCELING until the agent has answered, for 30 s at most; an answer that comes in that time counts for its task. The agent is asked to stop only with `agents.control`. The agent gets the parameters as they are, also those that are not listed here.";
