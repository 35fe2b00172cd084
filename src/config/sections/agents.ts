import { booleanSetting, integerSetting, listSetting, setting, textSetting } from "../setting-types.ts";

const requests = (type: string) =>
  setting({
    schema: textSetting("a channel"),
    default: `${type}-requests`,
    env: [`ORCHESTRATOR_AGENTS_${type.toUpperCase()}_REQUESTS`],
    text: `Channel of Redis on which tasks of type \`${type}\` are published; with \`stream:\` before the name a Stream.`,
  });

const responses = (type: string) =>
  setting({
    schema: listSetting(),
    default: [`${type}-responses`, `stream:${type}-responses`],
    env: [`ORCHESTRATOR_AGENTS_${type.toUpperCase()}_RESPONSES`],
    text: `Channels and Streams on which agents of type \`${type}\` answer.`,
  });

/** Agents that do tasks over Redis. */
export const AGENTS = {
  dataRequests: requests("data"),
  dataResponses: responses("data"),
  aiRequests: requests("ai"),
  aiResponses: responses("ai"),
  execRequests: requests("exec"),
  execResponses: responses("exec"),
  maxInFlight: setting({
    schema: integerSetting(1, 1_000_000),
    default: 1_000,
    env: ["ORCHESTRATOR_AGENTS_MAX_IN_FLIGHT"],
    text: "Most tasks of each type that an instance has with agents at once. Others wait and use up no attempt.",
  }),
  control: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_AGENTS_CONTROL"],
    text: "Whether agents are asked to stop when a task is canceled or out of time, on `data-control`, `ai-control`, and `exec-control`.",
  }),
} as const;
