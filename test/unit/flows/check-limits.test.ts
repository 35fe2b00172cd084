import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import type { Json, JsonObject } from "../../../src/base/json/json.ts";
import { validateFlow } from "../../../src/flows/compile.ts";
import { relativeTime } from "../../support/relative-time.ts";

describe("limits of a flow", () => {
  const withExpressions = (count: number, text: string): JsonObject => ({
    id: "f",
    workflow: { tasks: [{ id: "a", type: "noop", parameters: { output: Array.from({ length: count }, () => text) } }] },
  });

  it("bound its expressions, their number and their length", () => {
    expect(validateFlow({ document: withExpressions(5_000, "${1}") })).toEqual([]);
    expect(validateFlow({ document: withExpressions(5_001, "${1}") })[0]?.description).toMatch(
      /too many expressions; the limits are 5000 expressions/,
    );
    expect(
      validateFlow({ document: withExpressions(30, `\${${"1+".repeat(150)}${" ".repeat(3_700)}1}`) })[0]?.description,
    ).toMatch(/100000 characters/);
  });

  it("hold for documents that come as JSON values", () => {
    const problem = (output: Json): string => {
      try {
        validateFlow({
          document: { id: "f", workflow: { tasks: [{ id: "a", type: "noop", parameters: { output } }] } },
        });
      } catch (error) {
        if (isOrchestratorError(error)) return `${error.code}: ${error.message}`;
      }
      return "accepted";
    };
    expect(problem("x".repeat(300_000))).toMatch(/PAYLOAD_TOO_LARGE: document has \d+ bytes/);
    expect(problem(Array.from({ length: 20_001 }, () => 1))).toMatch(/FLOW_SOURCE_INVALID.*20000 values/);
    expect(problem(Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`k${index}`, 1])))).toMatch(
      /FLOW_SOURCE_INVALID.*10000 keys/,
    );
    expect(problem(JSON.parse(`${"[".repeat(70)}${"]".repeat(70)}`))).toMatch(/INVALID_JSON.*deeper than 64/);
    expect(problem("\u0000")).toMatch(/INVALID_JSON.*NUL/);
  });

  it("keep thousands of mistakes from costing more than thousands of tasks", () => {
    const ids = Array.from({ length: 2_000 }, (_, index) => `task_number_${index}`);
    const right = {
      id: "f",
      workflow: {
        tasks: ids.map((id, index) => ({
          id,
          type: "noop",
          depends_on: index === 0 ? [] : [ids[index - 1] as string],
        })),
      },
    };
    const wrong = {
      id: "f",
      workflow: {
        tasks: ids.map((id, index) => ({
          id,
          type: "nooop",
          tmeout: 1,
          depends_on: [`task_nmber_${index}`],
        })),
      },
    };
    const ratio = relativeTime(
      () => void validateFlow({ document: wrong }),
      () => void validateFlow({ document: right }),
      3,
    );
    expect(ratio).toBeLessThan(60);
  }, 30_000);

  it("let 2,000 tasks read far away", () => {
    const tasks = Array.from({ length: 2_000 }, (_, index) => ({
      id: `t${index}`,
      type: "noop",
      ...(index === 0 ? {} : { depends_on: [`t${index - 1}`], parameters: { output: "${t0.output}" } }),
    }));
    expect(validateFlow({ document: { id: "f", workflow: { tasks } } })).toEqual([]);
  });

  it("judge the joins under a thousand conditions", () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => index);
    const tasks = (side: "on_success" | "on_failure"): Json =>
      ids.flatMap((index) => [
        {
          id: `c${index}`,
          type: "condition",
          condition: "${true}",
          on_success: [`t${index}`],
          ...(index < 999 && { [side]: [`c${index + 1}`, ...(side === "on_success" ? [`t${index}`] : [])] }),
        },
        { id: `t${index}`, type: "noop", ...(index > 0 && { depends_on: [`t${index - 1}`] }) },
      ]);
    const validate = (side: "on_success" | "on_failure") =>
      validateFlow({ document: { id: "f", workflow: { tasks: tasks(side) } } });
    expect(validate("on_success")).toEqual([]);
    expect(validate("on_failure").map(({ field }) => field)).toEqual(["workflow.tasks[3].depends_on"]);
    const ratio = relativeTime(
      () => void validate("on_failure"),
      () => void validate("on_success"),
      3,
    );
    expect(ratio).toBeLessThan(10);
  }, 30_000);
});
