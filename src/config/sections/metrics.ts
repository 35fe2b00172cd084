import { booleanSetting, portSetting, setting } from "../setting-types.ts";

/** Metrics. */
export const METRICS = {
  enabled: setting({
    schema: booleanSetting(),
    default: true,
    env: ["ORCHESTRATOR_METRICS_ENABLED"],
    text: "Serve `/metrics` and `/health` on the metrics port.",
  }),
  onApiPort: setting({
    schema: booleanSetting(),
    default: true,
    env: ["ORCHESTRATOR_METRICS_ON_API_PORT"],
    text: "Serve `/metrics` on the port of the API, too, if metrics are enabled.",
  }),
  port: setting({
    schema: portSetting(),
    default: 9_090,
    env: ["ORCHESTRATOR_METRICS_PORT"],
    text: "Port of metrics and health. If it is in use and was not set explicitly, the service logs that and continues without it.",
  }),
} as const;
