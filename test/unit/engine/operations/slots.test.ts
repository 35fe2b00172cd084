import { expect, test } from "vitest";
import { Slots } from "../../../../src/engine/operations/slots.ts";

test("no more work is under way than there are slots, and who asked first goes first", async () => {
  const slots = new Slots(3);
  const begun: number[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const uses = Array.from({ length: 10 }, (_, index) =>
    slots.use(async () => {
      begun.push(index);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      if (index % 2 === 1) throw new Error(`work ${index} failed`);
      return index;
    }),
  );
  const settled = Promise.allSettled(uses);
  for (let round = 0; round < 10; round += 1) {
    await new Promise(setImmediate);
    expect(begun.length).toBe(Math.min(10, 3 + round));
    gates[round]?.resolve();
  }
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect((await settled).map(({ status }) => status === "fulfilled")).toEqual(begun.map((index) => index % 2 === 0));
  // All are free again.
  expect(await Promise.all([1, 2, 3].map((one) => slots.use(async () => one)))).toEqual([1, 2, 3]);
});
