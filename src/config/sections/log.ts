import { choiceSetting, setting } from "../setting-types.ts";

/** The log. */
export const LOG = {
  level: setting({
    schema: choiceSetting(["trace", "debug", "info", "warn", "error"], {
      warning: "warn",
      critical: "error",
      fatal: "error",
    }),
    default: "info",
    env: ["ORCHESTRATOR_LOG_LEVEL", "LOG_LEVEL"],
    text: "Lowest level that is logged: trace, debug, info, warn, error.",
  }),
  format: setting({
    schema: choiceSetting(["auto", "json", "json-seed", "pretty"]),
    default: "auto",
    env: ["ORCHESTRATOR_LOG_FORMAT"],
    text: "`json` for one object per line, `pretty` for people; `auto` is pretty on a terminal. `json-seed` is `json` with the keys of merged systems: `timestamp`, and `level` in capitals.",
  }),
} as const;
