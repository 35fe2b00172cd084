import { booleanSetting, portSetting, setting } from "../setting-types.ts";

/** Metrics. */
export const METRICS = {
  enabled: setting({
    schema: booleanSetting(),
    default: true,
    env: ["ORCHESTRATOR_METRICS_ENABLED"],
    text: "Serve `/metrics` and `/health` on the metrics port.",
  }),
  port: setting({
    schema: portSetting(),
    default: 9_090,
    env: ["ORCHESTRATOR_METRICS_PORT"],
    text: "Port of metrics and health. When it is busy and was not set, the service says so and goes on without.",
  }),
} as const;
