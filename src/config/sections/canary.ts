import { durationSetting, setting } from "../setting-types.ts";

/** Canaries: runs that the service starts to see whether it works. */
export const CANARY = {
  interval: setting({
    schema: durationSetting(),
    default: "1m",
    env: ["ORCHESTRATOR_CANARY_INTERVAL"],
    text: "How often one of the instances starts a run of the flow `orchestrator-canary`, follows it to its end, and looks whether those of the last hour are still there. Metrics and alerts say when it fails. From a second to 15 minutes; 0 starts none.",
  }),
} as const;
