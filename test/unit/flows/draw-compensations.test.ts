import { describe, expect, it } from "vitest";
import { compileFlow, drawFlow } from "../../../src/flows/compile.ts";

// Cause: compensations are no nodes of the graph, so the drawing left them out.
describe("the drawing of compensations", () => {
  it("shows what undoes each task", async () => {
    const document = {
      id: "f",
      workflow: {
        tasks: [
          { id: "pay-in", type: "noop", compensate_with: "pay_back" },
          { id: "send", type: "noop", depends_on: ["pay-in"] },
          { id: "pay_back", type: "noop" },
        ],
      },
    };
    const compiled = await compileFlow({ document });
    const drawn = await drawFlow(compiled.document);
    expect(drawn).toMatch(/^\tpay-in -\. .*compensated by.* \.-> pay_back\(pay_back\);$/m);
    expect(drawn).not.toMatch(/send -\./);
  });

  it("shows what undoes the task of a state", async () => {
    const document = {
      id: "f",
      workflow: {
        initial: "a",
        states: [
          { id: "a", task: { type: "noop" }, compensate_with: "undo", transitions: [{ to: "b" }] },
          { id: "b", final: "failed" },
        ],
        compensations: [{ id: "undo", type: "noop" }],
      },
    };
    const compiled = await compileFlow({ document });
    expect(await drawFlow(compiled.document)).toMatch(/^\ta -\. .*compensated by.* \.-> undo\(undo\);$/m);
  });
});
