import { expect, test } from "vitest";
import { readSourceFiles } from "./source-files.ts";

const WRITES = /\b(stdout|stderr|stream)\.write\(|\bconsole\./;

// Cause: each command made the texts that it printed plain, and one forgot the key of a run.
test("only the output layer of the command line writes to a stream", () => {
  const writers = readSourceFiles().filter(({ path, text }) => path.startsWith("src/cli/") && WRITES.test(text));
  expect(writers.map(({ path }) => path)).toEqual(["src/cli/terminal/output.ts"]);
});
