import { booleanSetting, durationSetting, integerSetting, setting, textSetting } from "../setting-types.ts";

/** Runs of seed documents. */
export const WORKFLOWS = {
  maxConcurrent: setting({
    schema: integerSetting(1, 1_000_000),
    env: ["MAX_CONCURRENT_WORKFLOWS"],
    text: "How many runs that were started by `/api/v1/workflows` or by messages on Redis may be open at once; others are `pending`. Runs that have a limit of their own are not counted. No limit by default.",
  }),
  workspace: setting({
    schema: textSetting("a folder"),
    default: "/tmp/orchestrator",
    env: ["ORCHESTRATOR_WORKSPACE"],
    text: "Folder in which the exec agent has the files of its tasks. The agent reads this variable; the service puts nothing there.",
  }),
  recoveryEnabled: setting({
    schema: booleanSetting(),
    default: true,
    env: ["RECOVERY_ENABLED"],
    text: "Look for runs whose flow has `workflow.recovery` and of which nothing is heard any more, and recover them.",
  }),
  recoveryInterval: setting({
    schema: durationSetting(1_000),
    default: "5m",
    env: ["RECOVERY_INTERVAL"],
    text: "How often to look for such runs.",
  }),
} as const;
