import { durationSetting, integerSetting, setting, sizeSetting } from "../setting-types.ts";
import { webhookEndpointsSetting } from "../webhook-endpoints.ts";

/** Webhooks: events of flows that are posted to services outside. */
export const WEBHOOKS = {
  endpoints: setting({
    schema: webhookEndpointsSetting(),
    default: {},
    env: ["ORCHESTRATOR_WEBHOOKS_ENDPOINTS"],
    text: "Endpoints that `emit` tasks name, each `{url, secret, headers, timeout}`. `secret` is a reference to what signs (`secret://billing`; the secret is `whsec_` and base64, or several with spaces between them during a rotation). Values of `headers` may be references as well. `timeout` is 10s unless it is given. Addresses obey `http.allow`.",
  }),
  maxAge: setting({
    schema: durationSetting(1_000),
    default: "72h",
    env: ["ORCHESTRATOR_WEBHOOKS_MAX_AGE"],
    text: "How long an event is tried. What could not be delivered by then is kept with the reason.",
  }),
  concurrency: setting({
    schema: integerSetting(1, 256),
    default: 8,
    env: ["ORCHESTRATOR_WEBHOOKS_CONCURRENCY"],
    text: "Requests at once to one endpoint from one instance. Events of a run go one after the other.",
  }),
  maxUnsentMessages: setting({
    schema: integerSetting(1, 1_000_000_000),
    default: 100_000,
    env: ["ORCHESTRATOR_WEBHOOKS_MAX_UNSENT_MESSAGES"],
    text: "Events that may wait for one endpoint. When there are more, `emit` tasks for it wait; everything else goes on.",
  }),
  maxUnsentBytes: setting({
    schema: sizeSetting(1_024, 1_024 ** 4),
    default: "256MB",
    env: ["ORCHESTRATOR_WEBHOOKS_MAX_UNSENT_BYTES"],
    text: "Bytes that may wait for one endpoint, as `max_unsent_messages`.",
  }),
} as const;
