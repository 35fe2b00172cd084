import { expect, test } from "vitest";
import { SERVABLE, SERVED } from "../../../../src/flows/check/unserved.ts";
import { judgeFlow } from "../../../../src/flows/compile.ts";
import { tasks } from "../warnings/judge.ts";

// Cause: these flows were registered, and every run of them failed or waited for somebody who never came.
test("what nothing serves is refused with the place and the cure, in groups too", async () => {
  const text = tasks(
    "{id: a, type: emit, parameters: {topic: t}}",
    "{id: b, type: http, parameters: {service: billing, path: /x}}",
    "{id: c, type: map, parameters: {items: [1], task: {type: emit, parameters: {topic: t}}}}",
    "{id: d, type: ai, parameters: {prompt: why}}",
    "{id: e, type: emit, parameters: {webhook: billing}}",
    "{id: f, type: emit, parameters: {stream: s}}",
  );
  const { problems } = await judgeFlow({ text }, undefined, SERVED);
  expect(
    problems.map(({ field, line, description }) => `${line} ${field}: ${description.split(" ", 4).join(" ")}`),
  ).toEqual([
    "4 workflow.tasks[0].parameters.topic: events of emit for",
    "5 workflow.tasks[1].parameters.service: there is no service",
    "6 workflow.tasks[2].parameters.task.parameters.topic: events of emit for",
    "7 workflow.tasks[3].type: agents get tasks of",
    "8 workflow.tasks[4].parameters.webhook: there is no endpoint",
    "9 workflow.tasks[5].parameters.stream: events of emit for",
  ]);
  // Cause: `flows validate` refused flows that a service with Redis takes.
  const judged = await judgeFlow({ text }, undefined, SERVABLE);
  expect(judged.problems).toEqual([]);
});

test("the engine's own tests may use everything, and a url is served", async () => {
  expect(await judgeFlow({ text: tasks("{id: a, type: emit, parameters: {topic: t}}") })).toMatchObject({
    problems: [],
  });
  const text = tasks("{id: b, type: http, parameters: {url: 'http://x'}}");
  expect(await judgeFlow({ text }, undefined, SERVED)).toMatchObject({ problems: [] });
});

test("where a budget limits the cost, models without a price are refused, as far as they are written", async () => {
  const open = { model: "small", perMinute: new Map<string, number>(), priced: new Set(["small"]) };
  const models = { known: new Map([["open", open]]), standard: "open" };
  const ask = (more: string): string => `{id: a, type: ai, parameters: {prompt: hi${more}}}`;
  const judge = async (budget: string, more: string) => {
    const text = `id: a\nvariables: [{name: m, type: string, default: x}]\nworkflow:\n  budget: {${budget}}\n  tasks: [${ask(more)}]\n`;
    const { problems } = await judgeFlow({ text }, undefined, { ...SERVED, models });
    return problems.map(({ field, description }) => `${field}: ${description}`);
  };
  expect(await judge("max_cost_usd: 1", "")).toEqual([]);
  expect(await judge("max_cost_usd: 1", ', model: "${vars.m}"')).toEqual([]);
  expect(await judge("max_tokens: 1", ", model: free")).toEqual([]);
  expect(await judge("max_cost_usd: 1", ", model: free, fallback: [{model: other, on: [TIMEOUT]}]")).toEqual([
    expect.stringMatching(/^workflow\.tasks\[0\]\.parameters\.model: .* model free has no price; add input_price/),
    expect.stringMatching(/^workflow\.tasks\[0\]\.parameters\.fallback\[0\]\.model: .* model other has no price/),
  ]);
});

// Cause: a flow could take the slots of goals.
test("a limit of the service is no limit of a flow, in groups neither; the service's own flows may name it", async () => {
  const text = `id: f
workflow:
  limit: {name: orchestrator.dev/goals, max_concurrent: 1}
  tasks:
    - id: a
      type: map
      parameters: {items: [1], task: {type: noop, limit: {name: orchestrator.dev/x, rate: {count: 1, per: 1s}}}}
`;
  const description = expect.stringMatching(/begin with orchestrator.dev\/ belong to the service; choose another/);
  const { problems } = await judgeFlow({ text }, undefined, SERVED);
  expect(problems).toMatchObject([
    { field: "workflow.limit.name", line: 3, description },
    { field: "workflow.tasks[0].parameters.task.limit.name", description },
  ]);
  expect(await judgeFlow({ text }, undefined, { ...SERVED, reservedIds: true })).toMatchObject({ problems: [] });
});
