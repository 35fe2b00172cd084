import { booleanSetting, durationSetting, integerSetting, setting, textSetting } from "../setting-types.ts";

/** Runs of seed documents. */
export const WORKFLOWS = {
  maxConcurrent: setting({
    schema: integerSetting(1, 1_000_000),
    env: ["MAX_CONCURRENT_WORKFLOWS"],
    later: "workflows",
    text: "Number of runs that may be active at once; others wait. No limit by default.",
  }),
  workspace: setting({
    schema: textSetting("a folder"),
    default: "/tmp/orchestrator",
    env: ["ORCHESTRATOR_WORKSPACE"],
    later: "exec tasks",
    text: "Folder for files of exec tasks.",
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
