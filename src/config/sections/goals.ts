import { choiceSetting, integerSetting, listSetting, setting, textSetting } from "../setting-types.ts";

/** Goals. */
export const GOALS = {
  model: setting({
    schema: textSetting("provider or provider/model"),
    env: ["ORCHESTRATOR_GOALS_MODEL"],
    text: "Who judges whether the result of a goal meets its acceptance criteria: `provider` or `provider/model`, one of `models.providers`. By default nobody judges criteria that are text; those that begin with `cel:` are evaluated anyway.",
  }),
  plans: setting({
    schema: choiceSetting(["elsewhere", "ask", "run"]),
    env: ["ORCHESTRATOR_GOALS_PLANS"],
    text: "Who plans goals. `ask`: `generation.model` writes a plan, which runs when somebody has approved it. `run`: it runs without being asked for. `elsewhere`: a program sends the result of each goal. By default `ask` if a model, or an agent that `generation.model` names, writes plans, and `elsewhere` for tenants that have declared the limit `orchestrator.dev/goals`. Where nobody can write plans, goals are done elsewhere, too.",
  }),
  services: setting({
    schema: listSetting(),
    default: [],
    env: ["ORCHESTRATOR_GOALS_SERVICES"],
    text: "What plans of goals may reach, as `required_services` of a generation names it: `ai`, `billing`, `https://api.example.com`, `queue:images`. By default nothing outside: plans compute, wait, and ask people.",
  }),
  maxConcurrent: setting({
    schema: integerSetting(1, 1_000_000),
    default: 10,
    env: ["ORCHESTRATOR_GOALS_MAX_CONCURRENT"],
    text: "How many goals that the service plans may be under way at once, also those whose plan waits for its approval. The limit `orchestrator.dev/goals` counts instead if it is declared.",
  }),
} as const;
