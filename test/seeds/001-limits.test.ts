/** `MAX_CONCURRENT_WORKFLOWS` of the document of seed 001, executed over its REST paths. */
import { describe, expect, test } from "vitest";
import { createSeedBed } from "./001/bed.ts";

describe("executions that are open at once", async () => {
  const bed = await createSeedBed({ MAX_CONCURRENT_WORKFLOWS: "2" });

  test("no more are running than allowed; the others are pending, and take their turn", async () => {
    const order = { workflow_template: "waits", variables: { who: "x" } };
    const [first, second, third] = [bed.start(order), bed.start(order), bed.start(order)].map(
      ({ body }) => body.execution_id as string,
    );
    for (const id of [first, second]) await bed.status(id ?? "", "running");
    const pending = await bed.status(third ?? "", "pending");
    expect(pending).toMatchObject({ started_at: null, completed_at: null, progress: 0 });
    expect(bed.curl("/api/v1/workflows?status=pending").body.workflows).toMatchObject([{ execution_id: third }]);
    expect(bed.curl(`/api/v1/workflows/${first}/cancel`, "-X", "POST").status).toBe(200);
    await bed.status(third ?? "", "running");
    for (const id of [second, third]) bed.curl(`/api/v1/workflows/${id}/cancel`, "-X", "POST");
    for (const id of [second, third]) await bed.status(id ?? "", "cancelled");
  });
});
