import { expect, test } from "vitest";
import { createOutsideFlows } from "../../../src/bus/kafka/outside-flows.ts";
import type { OutsideAnswer } from "../../../src/flows/ports/outside-registry.ts";

const REQUEST = {
  ...{ runId: "r", correlationId: "r", flowId: "f", tenantId: "", userId: "", input: {} },
  ...{ definition: null, context: null, trace: null },
};

function find(answer: OutsideAnswer, waitedMs = 0) {
  const outside = createOutsideFlows(
    { find: async () => answer },
    { register: async (_, { flowId }) => ({ flowId, version: "inline-1" }) },
  );
  return outside("default", REQUEST, performance.now() - waitedMs);
}

test("a registry that is away is waited for, for a minute", async () => {
  await expect(find({ away: "ECONNREFUSED" }, 59_000)).rejects.toThrow("ECONNREFUSED");
  await expect(find({ away: "ECONNREFUSED" }, 60_001)).rejects.toMatchObject({
    reason: "FLOW_REGISTRY_UNAVAILABLE",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("a flow of the registry is registered under its content, and what it does not have is left to the caller", async () => {
  expect(await find({ definition: { tasks: [] } })).toEqual({ flowId: "f", version: "inline-1" });
  expect(await find({ definition: null })).toBeNull();
  await expect(find({ definition: "text" })).rejects.toMatchObject({ reason: "FLOW_INVALID" });
});
