import { booleanSetting, setting } from "../setting-types.ts";

/** Triggers. */
export const TRIGGERS = {
  allowUnsigned: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_TRIGGERS_ALLOW_UNSIGNED"],
    text: "Whether triggers may take webhooks without a signature (`scheme: none`): everybody who reaches the service can then send events to them.",
  }),
} as const;
