import { durationSetting, setting } from "../setting-types.ts";
import { tokenKeysSetting } from "../token-keys.ts";

/** Workers that do tasks of type `worker`. */
export const WORKERS = {
  sessionTimeout: setting({
    schema: durationSetting(1_000),
    default: "30s",
    env: ["ORCHESTRATOR_WORKERS_SESSION_TIMEOUT"],
    text: "How long a worker may be silent before its session ends and its tasks go to other workers. After a takeover, holders of tasks get as long to report to the new owner.",
  }),
  tokenKeys: setting({
    schema: tokenKeysSetting(),
    default: [],
    env: ["ORCHESTRATOR_TOKEN_KEYS"],
    secret: true,
    text: "Keys of task tokens and callback URLs, each `id:base64` with an id from 2 to 255 and at least 32 random bytes (`openssl rand -base64 32`). The first key seals, and all of them open. The database has a key of its own, which seals when this list is empty, and always opens. To rotate: add the new key as the last one on every instance, then move it to the front, and remove the old one when no task that was handed out under it is left.",
  }),
};
