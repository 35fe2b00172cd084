import { STATUS_CODES } from "node:http";
import { expect, test } from "vitest";
import { statusType } from "../../../../src/base/net/http-status.ts";
import { ERROR_TYPES } from "../../../../src/tasks/error-types.ts";
import { readSourceFiles } from "../../../house/source-files.ts";
import { linesOf, tasks } from "./judge.ts";

const retried = (type: string, parameters: string, name: string): string =>
  tasks(`{id: a, type: ${type}, parameters: ${parameters}, retry_policy: {non_retryable: [${name}]}}`);
const matched = (task: string, match: string): string => `id: f
workflow:
  states:
    - id: a
      task: ${task}
      on_error: [{match: ${match}, to: b}]
      transitions: [{to: b}]
    - {id: b, final: completed}
`;

test.each([
  [
    "a typo in match",
    matched("{type: approval}", "APPROVAL_TIMOUT"),
    'workflow.states[0].on_error[0].match: no error of a task of type approval has the type "APPROVAL_TIMOUT"; did you mean "APPROVAL_TIMEOUT"?',
  ],
  [
    "a typo in a list",
    matched("{type: http, parameters: {url: 'http://x'}}", "[NOT_FOUND, CONFLCT]"),
    'workflow.states[0].on_error[0].match[1]: no error of a task of type http has the type "CONFLCT"; did you mean "CONFLICT"?',
  ],
  [
    "a typo in non_retryable",
    retried("http", "{url: 'http://x'}", "NOT_FUOND"),
    'workflow.tasks[0].retry_policy.non_retryable[0]: no error of a task of type http has the type "NOT_FUOND"; did you mean "NOT_FOUND"?',
  ],
  [
    "a type that nothing has",
    matched("{type: approval}", "NOBODY_HOME"),
    'workflow.states[0].on_error[0].match: no error of a task of type approval has the type "NOBODY_HOME"',
  ],
])("%s is a warning", async (_name, text, line) => {
  expect(await linesOf(text)).toEqual([`ERROR_TYPE_UNKNOWN ${line}`]);
});

test.each([
  ["a known type", matched("{type: approval}", "APPROVAL_TIMEOUT")],
  ["a status without a phrase", retried("http", "{url: 'http://x'}", "HTTP_599")],
  ["a type of another task type", matched("{type: noop}", "CONFLICT")],
  ["a made-up type of a placeholder", matched("{type: noop}", "OUT_OF_STOCK")],
  [
    "a graph, whose nodes make errors of their own",
    "{id: f, workflow: {graph: g, retry_policy: {non_retryable: [NOT_FUOND]}}}",
  ],
])("%s is no warning", async (_name, text) => {
  expect(await linesOf(text)).toEqual([]);
});

test("the table holds every error type that the code gives", () => {
  const given = new Set<string>();
  for (const { path, text } of readSourceFiles()) {
    if (!/^src\/(tools|engine\/machine)\//.test(path)) continue;
    for (const [, name] of text.matchAll(/(?:failedOutcome|deferredOutcome|ownError)\(\s*"([A-Z_]+)"/g))
      given.add(name as string);
    for (const [, name] of text.matchAll(/error(?:: TaskError)?[:=] *\{ ?type: "([A-Z_]+)"/g))
      given.add(name as string);
  }
  expect(given.size).toBeGreaterThan(20);
  // What ends a run is no error of a task.
  given.delete("TRANSITION_LIMIT");
  expect([...given].filter((name) => !ERROR_TYPES.has(name))).toEqual([]);
});

// Cause: a type whose errors were no longer made was still proposed to authors.
test("the table holds no error type that nothing gives", () => {
  const statuses = new Set(Object.keys(STATUS_CODES).map((status) => statusType(Number(status))));
  const texts = readSourceFiles()
    .filter(({ path }) => path !== "src/tasks/error-types.ts")
    .map(({ text }) => text);
  const isGiven = (name: string): boolean => texts.some((text) => text.includes(`"${name}"`));
  expect([...ERROR_TYPES].filter((name) => !statuses.has(name) && !isGiven(name))).toEqual([]);
});
