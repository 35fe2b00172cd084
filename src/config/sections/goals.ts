import { setting, textSetting } from "../setting-types.ts";

/** Goals. */
export const GOALS = {
  model: setting({
    schema: textSetting("provider or provider/model"),
    env: ["ORCHESTRATOR_GOALS_MODEL"],
    text: "Who judges whether the result of a goal meets its acceptance criteria: `provider` or `provider/model`, one of `models.providers`. By default nobody judges criteria that are text; those that begin with `cel:` are evaluated anyway.",
  }),
} as const;
