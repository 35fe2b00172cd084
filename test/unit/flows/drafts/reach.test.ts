/** Where the tasks of a draft lead: every place where a target can hide. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../../src/base/json/json.ts";
import { readFlowSource } from "../../../../src/flows/document/parse.ts";
import { Problems } from "../../../../src/flows/document/problems.ts";
import { readPlace, type TaskPlace } from "../../../../src/flows/drafts/allowed.ts";
import { checkReach, listReaches } from "../../../../src/flows/drafts/reach.ts";

const documentOf = (workflow: string): string => `id: d\nworkflow: ${workflow}\n`;
const places = (words: readonly string[]): readonly TaskPlace[] => words.map((word) => readPlace(word) as TaskPlace);

/** Problems of a flow that may reach some places. */
function problemsOf(workflow: string, words: readonly string[] = []): readonly string[] {
  const source = readFlowSource(documentOf(workflow));
  const problems = new Problems(source);
  checkReach(source.value as JsonObject, places(words), problems);
  return problems.list().map(({ field, description }) => `${field}: ${description}`);
}

const task = (text: string): string => `{tasks: [{id: a, ${text}}]}`;

describe("a draft", () => {
  it.each([
    ["a service", task("type: http, parameters: {service: billing}"), "billing"],
    ["an address", task('type: http, parameters: {url: "https://Pay.Example/x?y=${vars.y}"}'), "https://pay.example"],
    ["the queue of workers", task("type: worker, parameters: {handler: h, queue: images}"), "queue:images"],
    ["the queue that is not written", task("type: worker, parameters: {handler: h}"), "queue:default"],
    ["a topic of executors", task("type: queue, parameters: {handler: h}"), "topic:task_queue"],
    ["a topic of events", task("type: emit, parameters: {topic: paid}"), "topic:paid"],
    ["a stream of events", task("type: emit, parameters: {stream: paid}"), "stream:paid"],
    ["a webhook", task("type: emit, parameters: {webhook: shop}"), "webhook:shop"],
    ["another flow", task("type: subflow, parameters: {flow_id: payment}"), "flow:payment"],
    ["agents for data", task("type: data, parameters: {operation: o}"), "data"],
    ["models", task("type: ai, parameters: {provider: p, prompt: x}"), "ai"],
    ["programs", task("type: exec, parameters: {command: x}"), "exec"],
    [
      "a child of parallel",
      task("type: parallel, parameters: {tasks: [{type: transform, parameters: {output: 1}}, {type: exec}]}"),
      "exec",
    ],
    [
      "a child of a child of map",
      task(
        'type: map, parameters: {items: [1], task: {type: parallel, parameters: {tasks: [{type: http, parameters: {url: "http://in.example/"}}]}}}',
      ),
      "http://in.example",
    ],
    [
      "a compensation",
      "{tasks: [{id: a, type: transform, compensate_with: b}, {id: b, type: http, parameters: {service: undo}}]}",
      "undo",
    ],
    ["the task of a state", "{states: [{id: a, task: {type: http, parameters: {service: billing}}}]}", "billing"],
    [
      "the compensation of a state",
      "{states: [{id: a}], compensations: [{id: b, type: http, parameters: {service: undo}}]}",
      "undo",
    ],
  ])("reaches %s only if that is named", (_, workflow, word) => {
    expect(problemsOf(workflow, [word])).toEqual([]);
    expect(listReaches(readFlowSource(documentOf(workflow)).value as JsonObject)).toEqual([word]);
    expect(problemsOf(workflow)).toEqual([
      expect.stringContaining(`${word} is not allowed; nothing outside is allowed`),
    ]);
    expect(problemsOf(workflow, ["other"])).toEqual([
      expect.stringContaining(`${word} is not allowed; allowed: other`),
    ]);
  });

  it.each([
    ["a service", task('type: http, parameters: {service: "${vars.s}"}'), "service"],
    ["a host", task('type: http, parameters: {url: "https://${vars.h}/"}'), "url"],
    ["the end of a host", task('type: http, parameters: {url: "https://ok.example${vars.h}"}'), "url"],
    ["a whole address", task('type: http, parameters: {url: "${vars.u}"}'), "url"],
    ["a host behind credentials", task('type: http, parameters: {url: "https://ok.example@evil.example/"}'), "url"],
    ["a host behind a backslash", task("type: http, parameters: {url: 'https://ok.example\\@evil.example/'}"), "url"],
    ["a queue", task('type: worker, parameters: {handler: h, queue: "${vars.q}"}'), "queue"],
    ["a topic", task('type: emit, parameters: {topic: "${vars.t}"}'), "topic"],
    ["a flow", task('type: subflow, parameters: {flow_id: "${vars.f}"}'), "flow_id"],
    ["a provider", task('type: ai, parameters: {provider: "${vars.p}", prompt: x}'), "provider"],
    [
      "a fallback",
      task('type: ai, parameters: {prompt: x, fallback: [{model: "${vars.m}", on: [TIMEOUT]}]}'),
      "fallback",
    ],
    ["all fallbacks", task('type: ai, parameters: {prompt: x, fallback: "${vars.f}"}'), "fallback"],
  ])("cannot compute %s", (_, workflow, key) => {
    const words = ["ai", "ok.example", "https://ok.example", "queue:default", "flow:payment"];
    expect(problemsOf(workflow, words)).toEqual([
      expect.stringMatching(
        new RegExp(`^workflow\\.tasks\\[0\\]\\.parameters\\.${key}: .*an expression|^.*${key}: write scheme`),
      ),
    ]);
  });

  it("cannot be a graph, start flows of the service, or have steps of the service", () => {
    expect(problemsOf("{graph: mine}", ["ai"])).toEqual([expect.stringContaining("a graph may do anything")]);
    const words = ["flow:orchestrator-goal"];
    expect(problemsOf(task("type: subflow, parameters: {flow_id: orchestrator-goal}"), words)).toEqual([
      expect.stringContaining("belongs to the service"),
    ]);
    expect(problemsOf(task("type: step, parameters: {step: draft.keep, input: {}}"))).toEqual([
      expect.stringContaining("tasks of type step are not allowed"),
    ]);
  });

  it("may compute, wait, and ask as it likes", () => {
    const types = ["transform", "condition", "wait", "signal", "approval", "noop"];
    for (const type of types) expect(problemsOf(task(`type: ${type}`)), type).toEqual([]);
  });
});
