/** Dry runs come by turns. Cause: one caller filled the only line, and others, and generations, were refused. */
import { expect, test } from "vitest";
import { createDryRuns } from "../../../../src/engine/dry-run/dry-runs.ts";
import type { DryRunOrder } from "../../../../src/engine/ports/dry-run/dry-runs.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

const document = {
  id: "f",
  version: "1",
  workflow: { tasks: [{ id: "a", type: "transform", parameters: { output: {} } }] },
};
const orderOf = (text: string): DryRunOrder => ({ flow: { text }, input: {}, mocks: new Map() });
const never = new AbortController().signal;

/** Dry runs of which the first goes on until `open` is called. */
function startDryRuns() {
  const read: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const refuse = (): never => {
    throw new Error("no flow is registered");
  };
  const dryRuns = createDryRuns({
    flows: {
      async compile(_tenant, source) {
        read.push("text" in source ? source.text : "");
        await gate;
        return compileFlow({ document });
      },
      getFlow: refuse,
      planFor: refuse,
    },
    estimates: { sizeOf: () => null },
    now: () => 1_000_000,
  });
  const ask = (actor: string, text: string, signal = never, tenantId = "default") =>
    dryRuns.dryRun({ tenantId, actor }, orderOf(text), signal);
  return { dryRuns, read, open, ask };
}

test("callers, tenants, and the service take turns, whoever asks for many", async () => {
  const { dryRuns, read, open, ask } = startDryRuns();
  const all = ["a1", "a2", "a3", "a4", "a5"].map((text) => ask("ada", text));
  await expect(ask("ada", "a6")).rejects.toMatchObject({ code: "OVERLOADED" });
  all.push(ask("bob", "b1"), ask("bob", "b2"), ask("ada", "other", never, "acme"));
  all.push(dryRuns.dryRunForStep("default", orderOf("step 1"), never));
  all.push(dryRuns.dryRunForStep("default", orderOf("step 2"), never));
  open();
  await Promise.all(all);
  expect(read).toEqual(["a1", "a2", "step 1", "other", "step 2", "b1", "a3", "b2", "a4", "a5"]);
});

test("callers of a tenant who fill its lines keep out neither other tenants nor steps", async () => {
  const { dryRuns, open, ask } = startDryRuns();
  const all = [ask("first", "x")];
  for (let one = 0; one < 32; one++) all.push(ask(`caller ${one % 8}`, "x"));
  await expect(ask("late", "x")).rejects.toMatchObject({ code: "OVERLOADED" });
  all.push(ask("late", "x", never, "acme"));
  for (let one = 0; one < 40; one++) all.push(dryRuns.dryRunForStep("default", orderOf("x"), never));
  open();
  await expect(Promise.all(all)).resolves.toHaveLength(74);
});

test("one that waits leaves at once when its caller does, and makes room", async () => {
  const { read, open, ask } = startDryRuns();
  const first = ask("ada", "first");
  const leaving = new AbortController();
  const left = ["1", "2", "3", "4"].map((text) => ask("ada", text, leaving.signal));
  leaving.abort(new Error("gone"));
  for (const one of left) await expect(one).rejects.toThrow("gone");
  await expect(ask("ada", "5", leaving.signal)).rejects.toThrow("gone");
  const last = ask("ada", "last");
  open();
  await Promise.all([first, last]);
  expect(read).toEqual(["first", "last"]);
});

test("one that fails gives the turn to the next", async () => {
  const { dryRuns, open, ask } = startDryRuns();
  const registered = { flow: { flowId: "f", version: "" }, input: {}, mocks: new Map() };
  const failed = dryRuns.dryRun({ tenantId: "default", actor: "" }, registered, never);
  const next = ask("ada", "x");
  open();
  await expect(failed).rejects.toThrow("no flow is registered");
  await expect(next).resolves.toMatchObject({ flowId: "f" });
});
