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
  );
  const { problems } = await judgeFlow({ text }, undefined, SERVED);
  expect(
    problems.map(({ field, line, description }) => `${line} ${field}: ${description.split(" ", 4).join(" ")}`),
  ).toEqual([
    "4 workflow.tasks[0].type: events of emit leave",
    "5 workflow.tasks[1].parameters.service: registered services are reserved",
    "6 workflow.tasks[2].parameters.task.type: events of emit leave",
    "7 workflow.tasks[3].type: agents get tasks of",
  ]);
  // Cause: `flows validate` refused flows that a service with Redis takes.
  const judged = await judgeFlow({ text }, undefined, SERVABLE);
  expect(judged.problems.map(({ line }) => line)).toEqual([5]);
});

// Cause: budgets were kept with the flow and nothing enforced them, so that `max_time: 5s` bounded nothing.
test("a budget is refused, each limit with what bounds a run meanwhile", async () => {
  const text =
    "id: a\nworkflow:\n  budget: {max_time: 5s, max_steps: 3, max_tokens: 5, max_cost_usd: 0.5}\n  tasks: [{id: a, type: noop}]\n";
  const { problems } = await judgeFlow({ text }, undefined, SERVED);
  expect(problems.map(({ field, description }) => `${field}: ${description}`)).toEqual([
    expect.stringMatching(/^workflow\.budget\.max_time: .*; write workflow\.timeout instead$/),
    expect.stringMatching(/^workflow\.budget\.max_steps: .*max_transitions/),
    expect.stringMatching(/^workflow\.budget\.max_tokens: budgets are reserved for a later version/),
    expect.stringMatching(/^workflow\.budget\.max_cost_usd: budgets are reserved for a later version/),
  ]);
});

test("the engine's own tests may use everything, and a url is served", async () => {
  expect(await judgeFlow({ text: tasks("{id: a, type: emit, parameters: {topic: t}}") })).toMatchObject({
    problems: [],
  });
  const text = tasks("{id: b, type: http, parameters: {url: 'http://x'}}");
  expect(await judgeFlow({ text }, undefined, SERVED)).toMatchObject({ problems: [] });
});
