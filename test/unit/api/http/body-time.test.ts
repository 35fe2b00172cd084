import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { bodyTime } from "../../../../src/api/calls/call-timeout.ts";
import { readBody } from "../../../../src/api/http/body.ts";

// Cause: a body that stopped was DEADLINE_EXCEEDED, whose callers are asked to repeat with a request id that they may
// not have sent.
test("a body that does not come in the time of the service is incomplete, and its request may be sent again", async () => {
  const time = bodyTime(undefined);
  expect(time.ms).toBe(30_000);
  const stalled = readBody(new IncomingMessage(new Socket()), 1_000, { ...time, ms: 20 });
  await expect(stalled).rejects.toMatchObject({ code: "REQUEST_INCOMPLETE", http: 408, repeat: "SAME_REQUEST" });
  expect(bodyTime(600_000)).toMatchObject({ ms: 120_000 });
  expect(bodyTime(600_000).late()).toMatchObject({ code: "REQUEST_INCOMPLETE" });
});

test("a body that does not come in the time of its caller has passed its deadline, without effect", () => {
  expect(bodyTime(300).ms).toBe(300);
  expect(bodyTime(300).late()).toMatchObject({ code: "DEADLINE_EXCEEDED", http: 504, repeat: "SAME_REQUEST" });
});
