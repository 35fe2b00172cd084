import { setting, textSetting } from "../setting-types.ts";

/** Templates of flows. */
export const TEMPLATES = {
  dir: setting({
    schema: textSetting("a folder"),
    default: "./templates",
    env: ["ORCHESTRATOR_TEMPLATES"],
    text: "Folder of flow templates (YAML, JSON). Changed files count within a second; a file that breaks keeps its last good content. If the folder does not exist when the service starts, the templates that ship with it are used.",
  }),
} as const;
