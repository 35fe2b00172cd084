/**
 * Adds up vitest's JSON reports: `node scripts/summarize-tests.ts REPORT…`. Names what failed and what was skipped; the
 * last line is `N passed, N failed`. Fails when a test failed, when there was none, and in CI also when one was
 * skipped: there nothing may be missing.
 */
import { readFileSync } from "node:fs";

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      /** `counts`: what a test that runs a foreign judge has counted, one line. */
      readonly meta?: { readonly counts?: string };
    }[];
  }[];
}

const results = process.argv.slice(2).flatMap((path) => readReport(path).testResults);
const tests = results.flatMap(({ name, status, message, assertionResults }) => [
  ...assertionResults.map((one) => ({ name: `${name}: ${one.fullName}`, status: one.status })),
  // A file that could not be loaded or prepared fails without a failed test.
  ...(status === "failed" && !assertionResults.some((one) => one.status === "failed")
    ? [{ name: `${name}: ${message.split("\n")[0]}`, status }]
    : []),
]);
const passed = tests.filter((one) => one.status === "passed");
const failed = tests.filter((one) => one.status === "failed");
const skipped = tests.filter((one) => one.status !== "passed" && one.status !== "failed");
const isMissing = process.env.CI === "true" && skipped.length > 0;

for (const { assertionResults } of results)
  for (const { meta } of assertionResults) if (meta?.counts !== undefined) console.log(meta.counts);
for (const { name } of failed) console.log(`failed: ${name}`);
for (const { name } of skipped) console.log(`skipped: ${name}`);
if (isMissing) console.log("In CI nothing may be skipped: skipped tests count as failed.");
console.log(`${passed.length} passed, ${failed.length + (isMissing ? skipped.length : 0)} failed`);
process.exitCode = failed.length > 0 || isMissing || passed.length === 0 ? 1 : 0;

function readReport(path: string): Report {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report;
  } catch (error) {
    const message = `there is no report: ${(error as Error).message}`;
    return { testResults: [{ name: path, status: "failed", message, assertionResults: [] }] };
  }
}
