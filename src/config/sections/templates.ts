import { setting, textSetting } from "../setting-types.ts";

/** Templates of flows. */
export const TEMPLATES = {
  dir: setting({
    schema: textSetting("a folder"),
    default: "./templates",
    env: ["ORCHESTRATOR_TEMPLATES"],
    text: "Folder of flow templates (YAML). If it does not exist, the templates that ship with the service are used.",
  }),
} as const;
