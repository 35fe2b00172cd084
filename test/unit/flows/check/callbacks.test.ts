/** Where `${callback.url}` may stand, and what `await_callback` needs. */
import { expect, test } from "vitest";
import { validateFlow } from "../../../../src/flows/compile.ts";

const problemsOf = (tasks: string, head = ""): string[] =>
  validateFlow({ text: `id: f\n${head}workflow:\n  tasks:\n    - ${tasks}\n` }).map(
    ({ field, description }) => `${field}: ${description}`,
  );

const call = (parameters: string): string =>
  `{id: a, type: http, parameters: {url: "https://x.example/", ${parameters}}}`;

test.each([
  call('body: "${callback.url}", await_callback: true'),
  call('headers: {to: "at ${callback.url}"}, await_callback: true'),
  call('query: {to: "${callback.url + vars.s}"}, await_callback: true'),
  call("await_callback: false"),
  `{id: m, type: map, parameters: {items: [1], task: {type: http, parameters: {url: "https://x.example/\${callback.url}", await_callback: true}}}}`,
])("accepted: %s", (tasks) => {
  expect(problemsOf(tasks, "variables: [{name: s, type: string, default: x}]\n")).toEqual([]);
});

const ONLY = "callback.url exists only in the parameters of http tasks with await_callback: true";

test.each([
  [call('body: "${callback.url}"'), ONLY],
  [call('body: "${callback.url}", await_callback: false'), ONLY],
  ['{id: a, type: transform, parameters: {output: "${callback.url}"}}', ONLY],
  [call("await_callback: true"), "the call must carry the URL for its result"],
  [call('body: "${callback.url}", await_callback: "${true}"'), "write true or false; an expression cannot decide this"],
  [call('body: "${callback.token}", await_callback: true'), 'callback has no "token"; it has url'],
])("refused: %s", (tasks, sentence) => {
  expect(problemsOf(tasks).join("\n")).toContain(sentence);
});

test("a variable or task that was called callback before is what it was", () => {
  const variable = "variables: [{name: callback, type: string, default: x}]\n";
  expect(problemsOf('{id: a, type: transform, parameters: {output: "${callback}"}}', variable)).toEqual([]);
  const tasks = `{id: callback, type: noop}\n    - {id: b, type: transform, depends_on: [callback], parameters: {output: "\${callback.output}"}}`;
  expect(problemsOf(tasks)).toEqual([]);
});
