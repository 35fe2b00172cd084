import { booleanSetting, setting, urlSetting } from "../setting-types.ts";

/** The safety service. */
export const REFLEX = {
  url: setting({
    schema: urlSetting("http", "https"),
    default: "http://localhost:8080",
    env: ["ORCHESTRATOR_REFLEX_URL"],
    later: "goals",
    text: "Safety service that judges goals.",
  }),
  enabled: setting({
    schema: booleanSetting(),
    default: true,
    env: ["ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION"],
    later: "goals",
    text: "Ask it before a goal is accepted; if it cannot be reached, nothing is accepted.",
  }),
} as const;
