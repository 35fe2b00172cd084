import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLocalLog } from "../../../../src/cli/connection/local-log.ts";

// Cause: the service in the command had no log at all, so "its id in the log is …" led nowhere.
test("errors of a local service are printed once, with their id and their stack; the rest is dropped", () => {
  const log = createLocalLog();
  log.info("up");
  log.warn("hm");
  log.error("call failed", { errorId: "e-1", error: new Error("the cause") });
  const stream = new PassThrough();
  log.print(stream);
  log.print(stream);
  const text = String(stream.read());
  expect(text).toMatch(/^log: call failed errorId="e-1"\nError: the cause\n {4}at /);
  expect(text.match(/call failed/g)).toHaveLength(1);
});
