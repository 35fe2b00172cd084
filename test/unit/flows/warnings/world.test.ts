import { expect, test } from "vitest";
import { judgeFlow } from "../../../../src/flows/compile.ts";
import { linesOf, tasks, WORLD, warningsOf } from "./judge.ts";

const call = (parameters: string): string => tasks(`{id: a, type: subflow, parameters: ${parameters}}`);

test("a graph that is not loaded is a warning, with its place and what to do", async () => {
  expect(await warningsOf("id: f\nworkflow:\n  graph: revieww\n", WORLD)).toEqual([
    {
      code: "GRAPH_NOT_LOADED",
      path: "workflow.graph",
      line: 3,
      column: 3,
      message: 'graph "revieww" is not loaded here; did you mean "review"?',
      cure: "name the module that exports it in graphs.modules and restart the service",
    },
  ]);
  expect(await linesOf("{id: f, workflow: {graph: review}}", WORLD)).toEqual([]);
});

test.each([
  [
    "an unknown flow",
    "{flow_id: chld}",
    ['SUBFLOW_UNKNOWN workflow.tasks[0].parameters.flow_id: flow "chld" is not registered'],
  ],
  [
    "an unknown version",
    '{flow_id: child, version: "2", input: {a: 1}}',
    ['SUBFLOW_UNKNOWN workflow.tasks[0].parameters.flow_id: flow "child" version "2" is not registered'],
  ],
  [
    "a missing required input",
    "{flow_id: child}",
    [
      'SUBFLOW_INPUT_INVALID workflow.tasks[0].parameters: flow "child" requires the variable "a", and input does not give it',
    ],
  ],
  [
    "an input that is not declared",
    "{flow_id: child, input: {a: 1, cc: 2}}",
    ['SUBFLOW_INPUT_INVALID workflow.tasks[0].parameters.input.cc: flow "child" has no variable "cc"'],
  ],
  ["input that fits", '{flow_id: child, version: "1", input: {a: 1, c: 2}}', []],
  ["the flow itself", "{flow_id: f}", []],
])("%s", async (_name, parameters, expected) => {
  expect(await linesOf(call(parameters), WORLD)).toEqual(expected);
});

test("children of groups are looked at too", async () => {
  const text = tasks(
    "{id: m, type: map, parameters: {items: [1], task: {type: subflow, parameters: {flow_id: nowhere}}}}",
  );
  expect(await linesOf(text, WORLD)).toEqual([
    'SUBFLOW_UNKNOWN workflow.tasks[0].parameters.task.parameters.flow_id: flow "nowhere" is not registered',
  ]);
});

test("without a service nothing is said of what only a service knows", async () => {
  expect(await linesOf(call("{flow_id: nowhere}"))).toEqual([]);
  expect(await linesOf("{id: f, workflow: {graph: nowhere}}")).toEqual([]);
});

test("a flow with problems has no warnings", async () => {
  const text = tasks("{id: a, type: subflow, parameters: {flow_id: nowhere}}", "{id: a, type: nope}");
  expect(await judgeFlow({ text }, WORLD)).toMatchObject({ problems: [{}, {}], warnings: [] });
});
