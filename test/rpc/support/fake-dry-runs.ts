/** Dry runs of the flows of a fake registry, at a service with one model. */
import { createDryRuns } from "../../../src/engine/dry-run/dry-runs.ts";
import type { DryRuns } from "../../../src/engine/ports/dry-run/dry-runs.ts";
import { compileFlow } from "../../../src/flows/compile.ts";
import { withModels } from "../../../src/flows/planning/models.ts";
import type { FlowRegistry } from "../../../src/flows/ports/registry.ts";
import { createModelEstimates } from "../../../src/tools/model/estimates.ts";

const FACTS = {
  ...{ inputPriceMicros: 1_000_000, outputPriceMicros: 2_000_000 },
  ...{ cachedInputPriceMicros: null, tokensPerMinute: null },
};

/** The model `local/small`: a dollar for a million tokens of input, two for output. */
export function createFakeDryRuns(flows: FlowRegistry): DryRuns {
  const models = new Map([["small", { ...FACTS, maxOutputTokens: 1_000 }]]);
  const provider = {
    name: "local",
    kind: "openai",
    baseUrl: "http://x",
    apiKey: null,
    timeoutMs: 1_000,
    models,
  } as const;
  const known = { model: "small", perMinute: new Map(), priced: new Set(["small"]) };
  const atService = { known: new Map([["local", known]]), standard: "local" };
  return createDryRuns({
    flows: {
      compile: async (tenantId, source) => {
        const { plan, document } = await flows.compile(tenantId, source);
        return { plan: withModels(plan, atService), document };
      },
      getFlow: flows.getFlow,
      planFor: async (tenantId, flowId, version) => {
        const { document } = await flows.getFlow(tenantId, flowId, version);
        return withModels((await compileFlow({ document })).plan, atService);
      },
    },
    estimates: createModelEstimates({ known: new Map([["local", provider]]), standard: "local" }),
    now: () => 1_700_000_000_000,
  });
}
