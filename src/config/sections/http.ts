import { integerSetting, listSetting, setting, sizeSetting } from "../setting-types.ts";

const MB = 1_024 * 1_024;

/** What `http` tasks may call. */
export const HTTP = {
  allow: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_HTTP_ALLOW"],
    text: "Hosts that `http` tasks may call even though they have private addresses or speak plain HTTP: `host`, `host:port`, address, or CIDR such as `10.1.0.0/16`.",
  }),
  maxResponseBytes: setting({
    schema: sizeSetting(1_024, 4 * MB),
    default: "2MB",
    env: ["ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES"],
    text: "Largest response that an `http` task reads.",
  }),
  maxRedirects: setting({
    schema: integerSetting(0, 10),
    default: 3,
    env: ["ORCHESTRATOR_HTTP_MAX_REDIRECTS"],
    text: "Number of redirects that an `http` task follows; each target is checked like the first.",
  }),
} as const;
