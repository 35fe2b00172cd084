import { expect, test } from "vitest";
import { listSettings } from "../../src/config/settings.ts";
import { readSourceFiles } from "./source-files.ts";

/** Files that name settings without doing what they say. */
const TABLES = /^src\/(app\/(settings|integration-settings|setting-types)|api\/info-service)\.ts$/;

// A setting that nothing reads is a promise: two had a description, a range and a default, and did nothing.
test("every setting is read somewhere", () => {
  const sources = readSourceFiles()
    .filter((file) => !TABLES.test(file.path))
    .map((file) => file.text)
    .join("\n");
  const unread = listSettings().filter(({ key }) => !new RegExp(`[.{,]\\s*${key}\\b`).test(sources));
  expect(unread.map((setting) => setting.path)).toEqual([]);
});
