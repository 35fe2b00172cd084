import { expect, test } from "vitest";
import { SERVED } from "../../../../src/flows/check/unserved.ts";
import { judgeFlow } from "../../../../src/flows/compile.ts";
import { tasks } from "../warnings/judge.ts";

// Cause: these flows were registered, and every run of them failed or waited for somebody who never came.
test("what nothing serves is refused with the place and the cure, in groups too", async () => {
  const text = tasks(
    "{id: a, type: emit, parameters: {topic: t}}",
    "{id: b, type: http, parameters: {service: billing, path: /x}}",
    "{id: c, type: map, parameters: {items: [1], task: {type: emit, parameters: {topic: t}}}}",
  );
  const { problems } = await judgeFlow({ text }, undefined, SERVED);
  expect(
    problems.map(({ field, line, description }) => `${line} ${field}: ${description.split(" ", 4).join(" ")}`),
  ).toEqual([
    "4 workflow.tasks[0].type: emit comes with a",
    "5 workflow.tasks[1].parameters.service: registered services come with",
    "6 workflow.tasks[2].parameters.task.type: emit comes with a",
  ]);
});

test("the engine's own tests may use everything, and a url is served", async () => {
  expect(await judgeFlow({ text: tasks("{id: a, type: emit, parameters: {topic: t}}") })).toMatchObject({
    problems: [],
  });
  const text = tasks("{id: b, type: http, parameters: {url: 'http://x'}}");
  expect(await judgeFlow({ text }, undefined, SERVED)).toMatchObject({ problems: [] });
});
