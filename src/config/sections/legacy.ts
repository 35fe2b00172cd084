import { setting, textSetting } from "../setting-types.ts";

/** What is kept for users of other systems. */
export const LEGACY = {
  schema: setting({
    schema: textSetting("the name of a schema"),
    default: "public",
    env: ["ORCHESTRATOR_LEGACY_SCHEMA"],
    text: "Schema of the views `flow_run_history` and `task_execution_history` and of the tables `tasks` and `task_results`, made if it is missing. If somebody else has these names there, the service starts with a warning, and the views or the tables are in the schema `orchestrator`.",
  }),
} as const;
