import { expect, test } from "vitest";
import { loadConfig } from "../../../../src/config/config.ts";
import { draftWriterOf } from "../../../../src/service/parts/built-in/generation.ts";
import { goalFlowsOf } from "../../../../src/service/parts/built-in/goals.ts";

async function plansWith(env: Readonly<Record<string, string>>): Promise<boolean> {
  const { config } = await loadConfig({ env });
  return goalFlowsOf(config, draftWriterOf(config)).planning !== null;
}

const redis = { REDIS_URL: "redis://127.0.0.1:1" };

test.each([
  ["nobody writes plans", {}, false],
  // Cause: with Redis for other things, goals that used to wait failed, because no agent answered.
  ["an agent might, and nobody has named it", redis, false],
  ["an agent is named", { ...redis, ORCHESTRATOR_GENERATION_MODEL: "local/small" }, true],
  ["plans are asked for", { ...redis, ORCHESTRATOR_GOALS_PLANS: "ask" }, true],
  [
    "goals are done elsewhere",
    { ...redis, ORCHESTRATOR_GENERATION_MODEL: "local/small", ORCHESTRATOR_GOALS_PLANS: "elsewhere" },
    false,
  ],
])("whether goals are planned if %s", async (_, env, planned) => {
  expect(await plansWith(env)).toBe(planned);
});
