/** Keys of limits that a flow writes without an expression. */
import { expect, it } from "vitest";
import { validateFlow } from "../../../../src/flows/compile.ts";

const problemsOf = (text: string): string[] =>
  validateFlow({ text }).map(({ field, description }) => `${field}: ${description}`);

const http = 'type: http, parameters: {url: "http://x/"}';

const ofTask = (key: string): string[] =>
  problemsOf(
    `id: f\nworkflow:\n  tasks:\n    - {id: x, ${http}, limit: {name: crm, max_concurrent: 1, key: ${key}}}\n`,
  );

const ofRuns = (key: string): string[] =>
  problemsOf(
    `id: f\nworkflow:\n  limit: {name: crm, max_concurrent: 1, key: ${key}}\n  tasks:\n    - {id: x, ${http}}\n`,
  );

// Cause: a key without an expression was accepted however long it was, and every run failed.
it("is refused if no run could use it", () => {
  const long = JSON.stringify("k".repeat(257));
  expect(ofTask(long)).toEqual(["workflow.tasks[0].limit.key: the key has more than 256 characters"]);
  expect(ofRuns(long)).toEqual(["workflow.limit.key: the key has more than 256 characters"]);
  expect(ofTask('"a\\tb"')).toEqual(["workflow.tasks[0].limit.key: expected text without control characters"]);
});

it("is taken if it is short, a number, a boolean, or an expression of any length", () => {
  const expression = JSON.stringify(`\${"${"k".repeat(300)}".size()}`);
  for (const key of [JSON.stringify("k".repeat(256)), expression, "7", "true"]) {
    expect(ofTask(key)).toEqual([]);
    expect(ofRuns(key)).toEqual([]);
  }
});
