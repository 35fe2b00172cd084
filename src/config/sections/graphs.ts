import { durationSetting, integerSetting, listSetting, setting, sizeSetting } from "../setting-types.ts";

const MB = 1_024 * 1_024;

/** Modules with LangGraph graphs. */
export const GRAPHS = {
  modules: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_GRAPH_MODULES"],
    text: "Modules (paths) that export compiled LangGraph graphs for `graph` flows. They run with the rights of the service: name only modules of your own.",
  }),
  timeout: setting({
    schema: durationSetting(1_000),
    default: "10m",
    env: ["ORCHESTRATOR_GRAPH_TIMEOUT"],
    text: "Longest attempt of a graph. A flow may set a shorter limit (`attempt_timeout`).",
  }),
  maxMemory: setting({
    schema: sizeSetting(32 * MB, 16_384 * MB),
    default: "256MB",
    env: ["ORCHESTRATOR_GRAPH_MAX_MEMORY"],
    text: "Largest heap of a graph worker, and separately its largest memory outside the heap.",
  }),
  maxSteps: setting({
    schema: integerSetting(1, 1_000_000),
    default: 1_000,
    env: ["ORCHESTRATOR_GRAPH_MAX_STEPS"],
    text: "Largest number of steps of a graph in one attempt.",
  }),
  workers: setting({
    schema: integerSetting(1, 64),
    default: 4,
    env: ["ORCHESTRATOR_GRAPH_WORKERS"],
    text: "Number of graphs that run at the same time, each in its own worker thread.",
  }),
} as const;
