import { describe, expect, it } from "vitest";
import { validateFlow } from "../../../../src/flows/compile.ts";

/** Problems of a DAG with these tasks, given as YAML of the list. */
const dag = (tasks: string): string =>
  validateFlow({ text: `id: f\nvariables: [{name: n, type: integer, default: 1}]\nworkflow:\n  tasks:\n${tasks}` })
    .map(({ line, column, field, description }) => `${line}:${column} ${field}: ${description}`)
    .join("\n");

describe("joins", () => {
  const condition = (id: string, yes: string, no: string, more = ""): string =>
    `    - {id: ${id}, type: condition, condition: '\${n > 1}', on_success: [${yes}], on_failure: [${no}]${more}}\n`;
  const task = (id: string, more = ""): string => `    - {id: ${id}, type: noop${more}}\n`;

  it("that need both sides of a condition are reported with their place and the cure", () => {
    expect(
      dag(
        condition("c", "a", "b") +
          task("a") +
          task("b") +
          task("x", ", depends_on: [a]") +
          task("j", ", depends_on: [x, b]"),
      ),
    ).toBe(
      '9:27 workflow.tasks[4].depends_on: "j" can never run: it needs "x", which runs only when "c" is true, and "b", which runs only when it is false; write trigger_rule: none_failed if it is to run after either',
    );
  });

  it("are reported once: not what waits for them", () => {
    const all = dag(
      condition("c", "a", "b") +
        task("a") +
        task("b") +
        task("j", ", depends_on: [b, a]") +
        task("k", ", depends_on: [j]") +
        task("l", ", depends_on: [a, k], trigger_rule: one_success"),
    );
    expect(all.match(/can never run/g)).toHaveLength(1);
    expect(all).toMatch(/"j" can never run: it needs "a", which runs only when "c" is true, and "b"/);
  });

  it("are reported when both sides name them through other conditions, whatever their rule", () => {
    const all = dag(
      condition("c", "a", "b") +
        condition("a", "j", "x") +
        condition("b", "j", "x") +
        task("j", ", trigger_rule: none_failed") +
        task("x", ", trigger_rule: all_done"),
    );
    expect(all).toBe(
      '8:7 workflow.tasks[3]: "j" can never run: it needs "a", which runs only when "c" is true, and "b", which runs only when it is false; both name it as their target: take it from one of them',
    );
  });

  it.each([
    [
      "tolerate skips",
      condition("c", "a", "b") + task("a") + task("b") + task("j", ", depends_on: [a, b], trigger_rule: none_failed"),
    ],
    [
      "need one of them",
      condition("c", "a", "b") + task("a") + task("b") + task("j", ", depends_on: [a, b], trigger_rule: one_success"),
    ],
    [
      "follow what tolerates skips",
      condition("c", "a", "b") +
        task("a") +
        task("b", ", depends_on: [a], trigger_rule: none_failed") +
        task("j", ", depends_on: [b]"),
    ],
    [
      "need sides of two conditions",
      condition("c", "a", "x") +
        condition("d", "y", "b") +
        task("a") +
        task("b") +
        task("x") +
        task("y") +
        task("j", ", depends_on: [a, b]"),
    ],
    [
      "need what both sides name",
      condition("c", "a, x", "b, x") + task("a") + task("b") + task("x") + task("j", ", depends_on: [a, x]"),
    ],
    [
      "run when the condition fails",
      condition("c", "a", "b") +
        task("a", ", trigger_rule: all_done") +
        task("b", ", trigger_rule: all_done") +
        task("j", ", depends_on: [a, b]"),
    ],
    [
      "run when a condition that may fail did",
      condition("c", "a", "b", ", on_error: continue") + task("a") + task("b") + task("j", ", depends_on: [a, b]"),
    ],
  ])("that %s can run", (_what, tasks) => {
    expect(dag(tasks)).toBe("");
  });
});
