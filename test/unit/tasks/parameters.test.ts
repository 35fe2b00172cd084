import { describe, expect, it } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import { TIME_FORM } from "../../../src/base/time/rfc3339.ts";
import type { TaskTypeName } from "../../../src/tasks/define.ts";
import {
  checkParameters,
  isWritableTaskType,
  LATER_TASK_TYPES,
  TASK_TYPES,
  WRITABLE_TASK_TYPES,
} from "../../../src/tasks/index.ts";
import { describeValue } from "../../../src/tasks/schema/describe-issue.ts";
import { formatPath } from "../../../src/tasks/schema/format-path.ts";
import { suggest } from "../../../src/tasks/schema/suggest.ts";
import { relativeTime } from "../../support/relative-time.ts";

describe("the list of task types", () => {
  it("names every type by its key, and lets flows write all but graph", () => {
    for (const [name, type] of Object.entries(TASK_TYPES)) expect(type.type).toBe(name);
    expect([...WRITABLE_TASK_TYPES, "graph", "step"].sort()).toEqual(Object.keys(TASK_TYPES).sort());
    expect([
      isWritableTaskType("http"),
      isWritableTaskType("graph"),
      isWritableTaskType("agent"),
      isWritableTaskType("toString"),
    ]).toEqual([true, false, false, false]);
    expect(LATER_TASK_TYPES.filter((name) => name in TASK_TYPES)).toEqual([]);
  });

  it("says for every type what it is, what it takes and what it gives", () => {
    for (const type of WRITABLE_TASK_TYPES) {
      const { summary, documentation, example, effect } = TASK_TYPES[type];
      expect(summary, type).toMatch(/\.$/);
      expect(documentation.length, type).toBeGreaterThan(40);
      expect(example, type).toContain(`type: ${type}`);
      expect(["pure", "effectful", "remote", "wait", "group"], type).toContain(effect);
    }
  });
});

describe("checkParameters, after evaluation", () => {
  const problems = (type: TaskTypeName, value: Json): readonly string[] =>
    checkParameters(type, value).map(({ field, description }) => `${field}: ${description}`);

  it.each<[TaskTypeName, Json]>([
    [
      "http",
      {
        url: "https://x.example/a",
        method: "POST",
        body: { a: [1, null] },
        headers: { a: "b", n: 1 },
        query: { q: ["a", 1], none: null },
        expect_status: [200, 404, "5xx"],
      },
    ],
    ["http", { service: "billing", path: "/x" }],
    ["transform", { output: null }],
    ["noop", {}],
    ["condition", {}],
    ["data", { operation: "search", another: [1] }],
    ["ai", { prompt: "why?", provider: "anthropic", model: "m", response_format: "json", max_tokens: 2_000 }],
    ["exec", { command: ["python", "a.py"], image: "python:3.9-slim", files: [{ name: "a.py", content: "" }] }],
    ["wait", { duration: 0 }],
    ["wait", { duration: "1h30m" }],
    ["wait", { until: "2030-01-31T08:00:00Z" }],
    ["wait", { until: "2030-01-31T08:00:00.5+02:00" }],
    ["signal", { name: "payment" }],
    ["approval", { title: "t", assignees: [], form: { type: "object" } }],
    ["subflow", { flow_id: "pay", version: "1", input: { a: 1 }, close_policy: "abandon", labels: { a: "b" } }],
    ["emit", { topic: "t", payload: [1], headers: { a: "b" } }],
    ["graph", { input: { q: 1 } }],
  ])("%s takes %j", (type, value) => {
    expect(problems(type, value)).toEqual([]);
  });

  it.each<[TaskTypeName, Json, string]>([
    ["http", { url: 5 }, "url: expected text, got the number 5"],
    [
      "http",
      { url: "x", method: "get" },
      'method: expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, got the string "get"; did you mean "GET"?',
    ],
    ["http", { url: "x", headers: { a: {} } }, "headers.a: expected text or a number or true or false, got an object"],
    [
      "http",
      { url: "x", timeout: 5 },
      'timeout: unknown key "timeout"; known: url, service, path, method, query, headers, body, text, expect_status, full_response, await_callback, retry_after, response',
    ],
    ["http", {}, ": set either url, or service and path"],
    ["http", { url: "x", path: "/y" }, "path: path requires service"],
    ["http", "x", ': expected an object, got the string "x"'],
    ["transform", {}, "output: is missing"],
    [
      "wait",
      { duration: -1 },
      "duration: expected a duration: seconds (90) or units (250ms, 30s, 5m, 1h30m, 2d), at most ten years; got the number -1",
    ],
    [
      "wait",
      { duration: "4000d" },
      'duration: expected a duration: seconds (90) or units (250ms, 30s, 5m, 1h30m, 2d), at most ten years; got the string "4000d"',
    ],
    [
      "wait",
      { duration: null },
      "duration: expected a duration: seconds (90) or units (250ms, 30s, 5m, 1h30m, 2d), at most ten years; got null",
    ],
    ["wait", { until: "tomorrow" }, `until: expected ${TIME_FORM}; got the string "tomorrow"`],
    ["wait", { until: "2030-01-31T08:00:00" }, `until: expected ${TIME_FORM}; got the string "2030-01-31T08:00:00"`],
    ["signal", { name: "" }, "name: expected the name of a signal"],
    ["approval", { assignees: ["a", 1] }, "assignees[1]: expected text, got the number 1"],
    [
      "subflow",
      { flow_id: "x", close_policy: "kill" },
      'close_policy: expected one of cancel, terminate, abandon, got the string "kill"',
    ],
    ["subflow", { flow_id: "x", run_key: "a\u0001b" }, "run_key: expected text without control characters"],
    ["subflow", { flow_id: "X y" }, "flow_id: expected an id: a lowercase letter, then lowercase letters"],
    ["subflow", { flow_id: "x", version: "1\n" }, "version: expected a version: a letter or a digit"],
    ["emit", { payload: 1 }, "set one of topic, webhook, and stream"],
    ["emit", { webhook: "Billing", payload: 1 }, "webhook: expected the name of an endpoint"],
    ["emit", { webhook: "billing", headers: { "a b": "c" } }, "is no name of a header"],
    ["emit", { stream: "a b" }, "stream: use visible ASCII characters"],
    ["emit", { stream: "s", key: "k" }, "key requires topic"],
    ["noop", { outptu: 1 }, 'outptu: unknown key "outptu"; did you mean "output"?'],
  ])("%s refuses %j", (type, value, problem) => {
    expect(problems(type, value).join("\n")).toContain(problem);
  });

  it("gives every violation", () => {
    expect(problems("http", { url: 1, method: 2, body: 1, expect_status: 5, x: 1 })).toHaveLength(4);
  });
});

// Every value inside of a free parameter was matched against a union of types: 1.6 s for 2 MB of small objects, while
// nothing else was served.
it("costs about as much as printing the value, however much it holds", () => {
  const output = Array.from({ length: 20_000 }, (_, index) => ({ index }));
  const ratio = relativeTime(
    () => void expect(checkParameters("noop", { output })).toEqual([]),
    () => void JSON.stringify(output),
  );
  expect(ratio).toBeLessThan(20);
});

describe("words for people", () => {
  it("suggest what is near, and nothing else", () => {
    const known = ["timeout", "type", "depends_on", "fetch", "condition"];
    expect(["tmeout", "tiemout", "dependson", "fecth", "cond", "TYPE"].map((word) => suggest(word, known))).toEqual(
      ["timeout", "timeout", "depends_on", "fetch", "condition", "type"].map((word) => `; did you mean "${word}"?`),
    );
    expect(["zz", "banana", "", "type", "x".repeat(100)].map((word) => suggest(word, known))).toEqual([
      "",
      "",
      "",
      "",
      "",
    ]);
  });

  it("write paths and values as they are read", () => {
    expect(formatPath(["workflow", "tasks", 2, "parameters", "my key", "x-y"])).toBe(
      'workflow.tasks[2].parameters["my key"].x-y',
    );
    expect([undefined, null, [1], {}, "a", 5, true].map(describeValue)).toEqual([
      "nothing",
      "null",
      "a list",
      "an object",
      'the string "a"',
      "the number 5",
      "the boolean true",
    ]);
    expect(describeValue("x".repeat(500)).length).toBeLessThan(80);
  });
});
