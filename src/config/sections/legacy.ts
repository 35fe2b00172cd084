import { setting, textSetting } from "../setting-types.ts";

/** What is kept for users of other systems. */
export const LEGACY = {
  schema: setting({
    schema: textSetting("the name of a schema"),
    default: "public",
    env: ["ORCHESTRATOR_LEGACY_SCHEMA"],
    text: "Schema of the views `flow_run_history` and `task_execution_history`, made if it is missing. If tables of somebody else have these names there, the service starts with a warning and shows the views in the schema `orchestrator`.",
  }),
} as const;
