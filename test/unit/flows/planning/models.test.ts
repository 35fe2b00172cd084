import { expect, test } from "vitest";
import { compileFlow } from "../../../../src/flows/compile.ts";
import { withModels } from "../../../../src/flows/planning/models.ts";
import type { ModelProviders } from "../../../../src/tasks/agents/transport.ts";

const ONE: ModelProviders = {
  known: new Map([["open", { model: "small", perMinute: new Map([["small", 60]]), priced: new Set(["small"]) }]]),
  standard: "open",
};
const NAMED: ModelProviders = { ...ONE, standard: null };
const NONE: ModelProviders = { known: new Map(), standard: null };

test.each<[string, ModelProviders, "model" | "agent", number | null]>([
  ["prompt: hi", ONE, "model", 60],
  ["prompt: hi", NAMED, "agent", null],
  ["prompt: hi", NONE, "agent", null],
  ["prompt: hi, provider: open", NAMED, "model", 60],
  ["prompt: hi, provider: open, model: large", NAMED, "model", null],
  ["prompt: hi, provider: other", ONE, "agent", null],
  ["prompt: hi, provider: other, transport: model", ONE, "model", null],
  ["prompt: hi, provider: open, transport: agent", ONE, "agent", null],
  ["prompt: hi, provider: '${vars.p}'", NAMED, "model", null],
  ["prompt: hi, provider: '${vars.p}'", NONE, "agent", null],
])("who does `%s`", async (parameters, providers, transport, perMinute) => {
  const text = `id: f\nname: f\nversion: "1"\nvariables: [{name: p, type: string, default: open}]\nworkflow:\n  tasks: [{id: q, type: ai, parameters: {${parameters}}}]\n`;
  const { plan } = await compileFlow({ text });
  const made = withModels(plan, providers);
  if (made.kind !== "dag") throw new Error("not a graph of tasks");
  const task = made.nodes[0]?.task;
  expect(task?.carrier).toBe(transport === "agent" ? "agents" : undefined);
  expect(task?.effect).toBe(transport === "agent" ? "remote" : "effectful");
  expect(task?.limit?.rate?.count ?? null).toBe(perMinute);
});
