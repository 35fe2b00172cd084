import { booleanSetting, durationSetting, integerSetting, setting, textSetting } from "../setting-types.ts";

/** Runs of seed documents. */
export const WORKFLOWS = {
  maxConcurrent: setting({
    schema: integerSetting(1, 1_000_000),
    env: ["MAX_CONCURRENT_WORKFLOWS"],
    later: "workflows",
    text: "Runs that may be active at once; others wait. No limit when absent.",
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
    later: "workflows",
    text: "Watch for runs that stopped moving and repair what is missing.",
  }),
  recoveryInterval: setting({
    schema: durationSetting(1_000),
    default: "5m",
    env: ["RECOVERY_INTERVAL"],
    later: "workflows",
    text: "How often it looks.",
  }),
} as const;
