import { expect, test } from "vitest";
import { readServiceEntry } from "../../../src/config/service-entries.ts";

const url = "http://billing.example";

// Cause: the calls of a service could take the slots of goals.
test("a service has a limit of its users, and none of the service's own", () => {
  expect(readServiceEntry({ url, limit: "partner" })).toMatchObject({ limit: "partner" });
  expect(() => readServiceEntry({ url, limit: "orchestrator.dev/goals" })).toThrow(
    /entry\.limit: limits whose names begin with orchestrator\.dev\/ belong to the service; choose another name/,
  );
  expect(() => readServiceEntry({ url, limit: "a b" })).toThrow(/entry\.limit: expected the name of a limit/);
});
