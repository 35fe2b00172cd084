import { describe, expect, it } from "vitest";
import { isOrchestratorError } from "../../../src/base/errors.ts";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { compileFlow, validateFlow } from "../../../src/flows/compile.ts";

describe("all problems", () => {
  const text = `id: broken
version: 1.0
workflow:
  tasks:
    - id: a
      type: noop
      parameters:
        output: "\${b.output +}"
        extra: 1
    - id: b
      type: nope
      depends_on: [a, c]
      timeout: never
    - id: c
      type: noop
      depends_on: [b]
      retry_policy: {max_retries: -1}
`;

  it("are reported together, each with line and path, in the order of the source", async () => {
    const problems = validateFlow({ text });
    expect(problems.map(({ line, field }) => `${line} ${field}`)).toEqual([
      "2 version",
      "8 workflow.tasks[0].parameters.output",
      "9 workflow.tasks[0].parameters.extra",
      "10 workflow.tasks[1]",
      "11 workflow.tasks[1].type",
      "13 workflow.tasks[1].timeout",
      "17 workflow.tasks[2].retry_policy.max_retries",
    ]);
    const error = await compileFlow({ text }).catch((cause: unknown) => cause);
    expect(isOrchestratorError(error) && [error.code, error.details["count"], error.violations]).toEqual([
      "FLOW_INVALID",
      7,
      problems,
    ]);
  });

  it("of a document that came as JSON have paths and no lines", () => {
    const document = {
      id: "a",
      workflow: { tasks: [{ id: "x", type: "noop", parameters: { out: 1 } }] },
    } satisfies JsonObject;
    expect(validateFlow({ document })).toEqual([
      { field: "workflow.tasks[0].parameters.out", description: 'unknown key "out"; did you mean "output"?' },
    ]);
  });

  it("are cut at a hundred, and counted all", async () => {
    const many = {
      id: "a",
      workflow: { tasks: Array.from({ length: 150 }, (_, index) => ({ id: `t${index}`, type: "nope" })) },
    };
    const error = await compileFlow({ document: many }).catch((cause: unknown) => cause);
    expect(isOrchestratorError(error) && [error.details["count"], error.violations.length]).toEqual([150, 101]);
    expect(isOrchestratorError(error) && error.violations.at(-1)).toEqual({ field: "", description: "and 50 more" });
  });

  // Cause: the reader threw at the first key that appeared twice (or tag, or number), and hid everything that came
  // after it.
  it("include what the source may not hold, and what follows from that is left out", async () => {
    const source = [
      "id: a",
      "id: b",
      "workflow:",
      "  timeout: .inf",
      "  tasks:",
      "    - id: x",
      "      type: !mine noop",
      "      name: one",
      "      name: two",
      "    - {id: y, type: nope, depends_on: *gone}",
    ].join("\n");
    expect(
      validateFlow({ text: source }).map(({ line, field, description }) => `${line} ${field}: ${description}`),
    ).toEqual([
      '2 id: the key "id" appears twice; keep one',
      "4 workflow.timeout: .inf is not a number that JSON can hold",
      "7 workflow.tasks[0].type: tags (! or !!) are not accepted; remove it, or put text that begins with ! in quotes",
      '9 workflow.tasks[0].name: the key "name" appears twice; keep one',
      expect.stringMatching(/^10 workflow.tasks\[1\].type: there is no task type "nope"/),
      '10 workflow.tasks[1].depends_on: the anchor "gone" does not exist; text that begins with * needs quotes: write "*gone"',
    ]);
    await expect(compileFlow({ text: source })).rejects.toMatchObject({ code: "FLOW_INVALID", details: { count: 6 } });
  });

  it("of the syntax come together too", () => {
    const read = () => validateFlow({ text: 'id: "a\nname: "b" c\nworkflow:\n  tasks: [1, 2\n' });
    expect(read).toThrowError(expect.objectContaining({ code: "FLOW_SOURCE_INVALID" }));
    const many = () => validateFlow({ text: "id: a\nx: @one\ny: @two\nz: `three\n" });
    expect(many).toThrowError(
      expect.objectContaining({
        message: expect.stringContaining("(line 2, column 4) (and 2 more)"),
        violations: [2, 3, 4].map((line) => expect.objectContaining({ line })),
      }),
    );
  });
});
