import { originsSetting } from "../service-entries.ts";
import { setting, textSetting } from "../setting-types.ts";

/** Secrets that other settings and flows name: `secret://name`. */
export const SECRETS = {
  dir: setting({
    schema: textSetting("a folder"),
    env: ["ORCHESTRATOR_SECRETS_DIR"],
    text: "Folder with a file for each secret, as Docker and Kubernetes mount them: `secret://billing` is the text of the file `billing`, read whenever it is used. A secret without a file is the variable `ORCHESTRATOR_SECRET_<NAME>`: capitals, and `_` for all but letters and digits.",
  }),
  origins: setting({
    schema: originsSetting(),
    default: {},
    env: ["ORCHESTRATOR_SECRETS_ORIGINS"],
    text: "Headers for origins, such as `https://billing.example: {Authorization: secret://billing}`: calls of a service that was put by `PutService` carry those of the origin of its URL, and no others. So anyone who may put services cannot send a secret to another place.",
  }),
} as const;
