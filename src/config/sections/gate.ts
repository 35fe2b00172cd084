import { booleanSetting, setting, textSetting, urlSetting } from "../setting-types.ts";

/** What is checked before something is done. */
export const GATE = {
  policy: setting({
    schema: textSetting("a file"),
    env: ["ORCHESTRATOR_GATE_POLICY"],
    text: "YAML file that says what refuses a goal: see [how-to/write-a-gate-policy.md](how-to/write-a-gate-policy.md). Without one, secrets, personal data, and injected instructions do.",
  }),
  reflexUrl: setting({
    schema: urlSetting("http", "https"),
    env: ["ORCHESTRATOR_REFLEX_URL"],
    text: "Reflex, the safety service that judges goals after the rules of the policy. While it is away, no goal is accepted. By default `http://localhost:8080`, if `gate.reflex_enabled` is true.",
  }),
  reflexEnabled: setting({
    schema: booleanSetting(),
    env: ["ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION"],
    text: "Whether Reflex is asked. By default it is if `gate.reflex_url` is set.",
  }),
} as const;
