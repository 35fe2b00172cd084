import { setting, textSetting } from "../setting-types.ts";

/** Secrets that other settings and flows name: `secret://name`. */
export const SECRETS = {
  dir: setting({
    schema: textSetting("a folder"),
    env: ["ORCHESTRATOR_SECRETS_DIR"],
    text: "Folder with a file for each secret, as Docker and Kubernetes mount them: `secret://billing` is the text of the file `billing`, read whenever it is used. A secret without a file is the variable `ORCHESTRATOR_SECRET_<NAME>`: capitals, and `_` for all but letters and digits.",
  }),
} as const;
