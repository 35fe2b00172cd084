import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OrchestratorError } from "../../../../src/base/errors.ts";
import { readInput, readJsonText } from "../../../../src/cli/input/input-values.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

const VARIABLES = ["string", "integer", "number", "boolean", "array", "object", "any"].map((type) => ({
  name: type,
  type,
}));

const read = (...options: string[]) => readInput(options, VARIABLES, "flow");

async function refusalOf(...options: string[]): Promise<OrchestratorError> {
  return read(...options).then(
    () => expect.unreachable("the input should be refused"),
    (error: OrchestratorError) => error,
  );
}

describe("--input", () => {
  test.each([
    ["string=5", "5"],
    ["string=", ""],
    ["string=a=b", "a=b"],
    ["string=@@home", "@home"],
    ["integer=42", 42],
    ["integer= -7 ", -7],
    ["integer=+7", 7],
    ["integer=9007199254740991", Number.MAX_SAFE_INTEGER],
    ["number=.5", 0.5],
    ["number=1e3", 1_000],
    ["boolean=true", true],
    ['array=["a", 1]', ["a", 1]],
    ['object={"a": 1}', { a: 1 }],
    ["any=5", 5],
    ["any=null", null],
    ["any=five", "five"],
    ["unknown=5", 5],
  ])("%s follows the declared type", async (option, value) => {
    expect(await read(option)).toEqual({ [option.split("=")[0] ?? ""]: value });
  });

  // Cause: a double made 9007199254740992 of the id that was typed, and the run worked on the neighbour. JSON says the
  // same.
  test.each(["integer=9007199254740993", "number=9007199254740993", "number=1e999", "integer=-9007199254740993"])(
    "%s is refused: a double would make another number of it",
    async (option) => {
      const error = await refusalOf(option);
      expect(error).toMatchObject({
        code: "FLOW_INPUT_INVALID",
        message: expect.stringMatching(/at most 9007199254740991|a double can hold/),
      });
    },
  );

  test("every value that does not fit is told at once", async () => {
    const error = await refusalOf("integer=1.5", "boolean=yes", "array={}", "string=good");
    expect(error.violations).toEqual([
      { field: "integer", description: expect.stringMatching(/^expected a whole number.*got "1.5"$/) },
      { field: "boolean", description: 'expected true or false, got "yes"' },
      { field: "array", description: expect.stringMatching(/^expected a JSON list.*got "{}"$/) },
    ]);
  });

  test("files give values or the whole input; later options win", async () => {
    const folder = createTemporaryFolder();
    const write = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    const whole = write("input.yaml", "string: from the file\ninteger: 1\n");
    const text = write("text.txt", "two\nlines\n");
    expect(await read(`@${whole}`, `string=@${text}`, "integer=2")).toEqual({ string: "two\nlines\n", integer: 2 });
    expect((await refusalOf(`@${write("list.json", "[1]")}`)).message).toContain("an object of variables was expected");
    expect((await refusalOf("string=@/nowhere/at/all")).code).toBe("FILE_UNREADABLE");
  });

  test("what has no name is no input", async () => {
    expect((await refusalOf("=5")).code).toBe("INVALID_REQUEST");
    expect((await refusalOf("five")).code).toBe("INVALID_REQUEST");
  });
});

test("data of a signal is JSON if it is JSON, else text", async () => {
  expect(await readJsonText('{"a": [1]}', "data")).toEqual({ a: [1] });
  // Cause: null was taken for "no JSON", and the text "null" was sent.
  expect(await readJsonText("null", "data")).toBeNull();
  expect(await readJsonText("hello", "data")).toBe("hello");
  expect(await readJsonText("@@hello", "data")).toBe("@hello");
  await expect(readJsonText("9007199254740993", "data")).rejects.toMatchObject({ code: "INVALID_JSON" });
});
