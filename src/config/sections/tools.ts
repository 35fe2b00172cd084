import { durationSetting, integerSetting, setting } from "../setting-types.ts";

/** The call path of tools. */
export const TOOLS = {
  breakerFailures: setting({
    schema: integerSetting(1, 1_000_000),
    default: 10,
    env: ["ORCHESTRATOR_TOOLS_BREAKER_FAILURES"],
    text: "Number of retryable failures in a row after which the calls of a task to an origin are deferred (`BREAKER_OPEN`). A 429 does not count.",
  }),
  breakerOpen: setting({
    schema: durationSetting(),
    default: "1s",
    env: ["ORCHESTRATOR_TOOLS_BREAKER_OPEN"],
    text: "How long an open breaker defers calls before it lets one through; doubles each time that call fails.",
  }),
  breakerMaxOpen: setting({
    schema: durationSetting(),
    default: "30s",
    env: ["ORCHESTRATOR_TOOLS_BREAKER_MAX_OPEN"],
    text: "Longest time that a breaker stays open, and longest time that it defers one attempt.",
  }),
  maxConcurrent: setting({
    schema: integerSetting(1, 100_000),
    default: 100,
    env: ["ORCHESTRATOR_TOOLS_MAX_CONCURRENT"],
    text: "Largest number of concurrent calls of one task to one origin, per instance.",
  }),
  maxQueued: setting({
    schema: integerSetting(0, 1_000_000),
    default: 1_000,
    env: ["ORCHESTRATOR_TOOLS_MAX_QUEUED"],
    text: "Largest number of calls that queue behind those; more are deferred (`BULKHEAD_FULL`).",
  }),
} as const;
