import { expect, test } from "vitest";
import { linesOf, tasks } from "./judge.ts";

const states = (...lines: string[]): string =>
  `id: f\nworkflow:\n  states:\n${lines.map((line) => `    - ${line}\n`).join("")}    - {id: done, final: completed}\n`;
const noop = (rest: string): string => `{id: f, ${rest}}`;

// Cause: a key that passes every check and that nothing reads looks as if it worked.
test.each([
  [
    "the id of a workflow that differs",
    noop("workflow: {id: g, tasks: [{id: a, type: noop}]}"),
    ['KEY_WITHOUT_EFFECT workflow.id: id has no effect: the id of the flow is "f"'],
  ],
  [
    "one that repeats",
    noop("workflow: {id: f, tasks: [{id: a, type: noop}]}"),
    ["KEY_WITHOUT_EFFECT workflow.id: id has no effect: it repeats the id of the flow"],
  ],
  [
    "a second name and a description inside the workflow",
    noop("name: F, workflow: {name: G, description: x, tasks: [{id: a, type: noop}]}"),
    [
      "KEY_WITHOUT_EFFECT workflow.name: name has no effect: the flow has a name of its own",
      "KEY_WITHOUT_EFFECT workflow.description: description has no effect",
    ],
  ],
  ["the only name", noop("workflow: {name: G, tasks: [{id: a, type: noop}]}"), []],
  [
    "a variable that is required and has a default",
    noop("variables: [{name: x, required: true, default: 1}], workflow: {tasks: [{id: a, type: noop}]}"),
    ['KEY_WITHOUT_EFFECT variables[0].required: required has no effect: a start that omits "x" gets its default'],
  ],
  [
    "a trigger rule without dependencies",
    tasks(
      "{id: a, type: noop, trigger_rule: all_done}",
      "{id: b, type: noop, depends_on: [], trigger_rule: all_success}",
    ),
    [
      'KEY_WITHOUT_EFFECT workflow.tasks[0].trigger_rule: trigger_rule has no effect: "a" depends on no task, so it runs at once',
      'KEY_WITHOUT_EFFECT workflow.tasks[1].trigger_rule: trigger_rule has no effect: "b" depends on no task, so it runs at once',
    ],
  ],
  [
    "a trigger rule of the target of a condition",
    tasks(
      "{id: c, type: condition, condition: true, on_success: [a]}",
      "{id: a, type: noop, trigger_rule: none_failed}",
    ),
    [],
  ],
  [
    "delays between attempts of which there is one",
    tasks("{id: a, type: noop, retry_policy: {max_retries: 0, initial_delay: 1s, non_retryable: [E]}}"),
    [
      "KEY_WITHOUT_EFFECT workflow.tasks[0].retry_policy.initial_delay: initial_delay has no effect: with max_retries 0 there is one attempt",
      "KEY_WITHOUT_EFFECT workflow.tasks[0].retry_policy.non_retryable: non_retryable has no effect: with max_retries 0 there is one attempt",
    ],
  ],
  [
    "an exit by errors that another one has matched",
    states(
      "{id: a, task: {type: noop}, transitions: [{to: done}], on_error: [{match: [CONFLICT], to: done}, {to: a}, {match: CONFLICT, to: a}]}",
    ),
    [
      "KEY_WITHOUT_EFFECT workflow.states[0].on_error[2].to: to has no effect: entries before this one match the same errors",
    ],
  ],
  [
    "an exit by a signal that another one takes",
    states('{id: a, on: [{signal: x, when: "${signal.payload}", to: a}, {signal: x, to: done}, {signal: x, to: a}]}'),
    [
      'KEY_WITHOUT_EFFECT workflow.states[0].on[2].to: to has no effect: an entry before this one takes every signal "x"',
    ],
  ],
  [
    "what undoes a task that changes nothing",
    tasks("{id: a, type: transform, parameters: {output: 1}, compensate_with: u}", "{id: u, type: noop}"),
    [
      'COMPENSATES_NOTHING workflow.tasks[0].compensate_with: "u" undoes "a", but a task of type transform changes nothing',
    ],
  ],
  [
    "what undoes a task that may have changed something",
    tasks("{id: a, type: noop, compensate_with: u}", "{id: u, type: noop}"),
    [],
  ],
])("%s", async (_name, text, expected) => {
  expect(await linesOf(text)).toEqual(expected);
});
