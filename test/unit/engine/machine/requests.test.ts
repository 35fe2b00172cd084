import { expect, test } from "vitest";
import { rememberRequest } from "../../../../src/engine/machine/requests.ts";
import { createState, MAX_REQUESTS, REQUEST_ID_RETENTION_MS } from "../../../../src/engine/machine/state.ts";

// Cause: a run forgot an id after a thousand more, however soon they came, and the call that was sent again took effect
// twice.
test("a request id is remembered for a day, however many follow, and beyond a thousand not for longer", () => {
  const state = createState("r");
  rememberRequest(state, 0, "first", "h");
  for (let index = 0; index < 2 * MAX_REQUESTS; index += 1) rememberRequest(state, index, `id-${index}`, "h");
  expect(state.requests.get("first")?.hash).toBe("h");
  rememberRequest(state, REQUEST_ID_RETENTION_MS + MAX_REQUESTS / 2, "later", "h");
  expect(state.requests.has("first")).toBe(false);
  expect(state.requests.has(`id-${MAX_REQUESTS / 2 + 1}`)).toBe(true);
});
