/** The ai agent: any endpoint with the interface of OpenAI or Anthropic; without one, recorded answers. */
import { runAgent } from "../shared/agent.ts";
import { createAiHandler } from "./handle.ts";
import { readProviders } from "./providers.ts";
import { createRecordedModel } from "./recorded.ts";

const { env } = process;
const recorded = env["AGENT_AI_RECORDED"] === "off" ? null : createRecordedModel();
await runAgent({
  kind: "ai",
  handle: createAiHandler({ providers: readProviders(env), recorded }),
  concurrency: 8,
});
