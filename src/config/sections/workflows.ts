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
    later: "workflows",
    text: "Watch for runs that are stuck, and repair what is missing.",
  }),
  recoveryInterval: setting({
    schema: durationSetting(1_000),
    default: "5m",
    env: ["RECOVERY_INTERVAL"],
    later: "workflows",
    text: "How often to look for stuck runs.",
  }),
} as const;
