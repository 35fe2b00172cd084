import { durationSetting, setting } from "../setting-types.ts";

/** Workers that do tasks of type `worker`. */
export const WORKERS = {
  sessionTimeout: setting({
    schema: durationSetting(1_000),
    default: "30s",
    env: ["ORCHESTRATOR_WORKERS_SESSION_TIMEOUT"],
    text: "How long a worker may be silent before its session ends and its tasks go to other workers. After a takeover, holders of tasks get as long to report to the new owner.",
  }),
};
