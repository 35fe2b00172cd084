import { booleanSetting, durationSetting, setting, textSetting } from "../setting-types.ts";

/** What only tests of the service may do. */
export const TESTING = {
  enabled: setting({
    schema: booleanSetting(),
    default: false,
    env: ["ORCHESTRATOR_TESTING"],
    text: "Allows what only tests of the service may do. Never set it in production.",
  }),
  failPoints: setting({
    schema: textSetting("fail points"),
    env: ["ORCHESTRATOR_FAIL_POINTS"],
    text: "Places where the process dies, throws, or stands still: `commit.after=kill@17`. Refused unless testing is allowed.",
  }),
  suspectPause: setting({
    schema: durationSetting(),
    env: ["ORCHESTRATOR_SUSPECT_PAUSE"],
    text: "Longest pause before a run that was in progress at a death is tried again, instead of 5 s. Refused unless testing is allowed.",
  }),
} as const;
