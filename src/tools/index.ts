/** The list of tool adapters. A new adapter is one file and one line here; see docs/how-to/add-a-tool-adapter.md. */
import type { Steps } from "../engine/ports/generation/steps.ts";
import type { GraphHost } from "../engine/ports/graphs.ts";
import type { ToolAdapter } from "./adapter.ts";
import { createGraphAdapter } from "./graph/graph.ts";
import { createHttpAdapter, type HttpAdapterOptions } from "./http/http.ts";
import { createModelAdapter, type ModelAdapterOptions } from "./model/model.ts";
import { createNoopAdapter } from "./noop/noop.ts";
import { createStepAdapter } from "./step/step.ts";

export interface AdapterOptions {
  readonly http: HttpAdapterOptions;
  /** Runs tasks of type `graph`; without it they fail with TOOL_MISSING. */
  readonly graphs?: Pick<GraphHost, "run">;
  /** Does tasks of type `ai` that are for models; without it they fail with TOOL_MISSING. */
  readonly models?: ModelAdapterOptions | undefined;
  /** What tasks of type `step` do; without it they fail with TOOL_MISSING. */
  readonly steps?: Steps;
}

export function createAdapters(options: AdapterOptions): readonly ToolAdapter[] {
  const { http, graphs, models, steps } = options;
  return [
    createNoopAdapter(),
    createHttpAdapter(http),
    ...(graphs === undefined ? [] : [createGraphAdapter(graphs)]),
    ...(models === undefined ? [] : [createModelAdapter(models)]),
    ...(steps === undefined ? [] : [createStepAdapter(steps)]),
  ];
}
