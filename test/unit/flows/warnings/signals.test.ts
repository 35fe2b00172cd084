import { expect, test } from "vitest";
import { linesOf } from "./judge.ts";

const flow = (rest: string): string => `{id: f, workflow: {signals: {paid: {schema: {type: object}}}, ${rest}}}`;

test.each([
  [
    "a declared signal that no task waits for",
    "tasks: [{id: a, type: signal, parameters: {name: payd}}]",
    ['SIGNAL_UNUSED workflow.signals.paid: nothing waits for the signal "paid"; did you mean "payd"?'],
  ],
  ["one that a task waits for by its id", "tasks: [{id: paid, type: signal}]", []],
  [
    "a name by expression, which may be this one",
    'tasks: [{id: a, type: signal, parameters: {name: "${run.run_id}"}}]',
    [],
  ],
  ["one that a state waits for", "states: [{id: a, on: [{signal: paid, to: b}]}, {id: b, final: completed}]", []],
])("%s", async (_name, rest, expected) => {
  expect(await linesOf(flow(rest))).toEqual(expected);
});
