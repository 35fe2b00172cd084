/** Keys of objects come back in the order in which they were given, also after a takeover. */
import { expect, test } from "vitest";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

test("what was written, given, signaled and computed keeps the order of its keys over a takeover", async () => {
  // Cause: the documents of flow versions were kept as jsonb, which sorts keys; an owner that read them from the store
  // put outputs together in another order.
  const nested = { zeta: 1, alpha: { y: 2, b: 3 }, mid: [{ q: 1, a: 2 }] };
  await bed.register("kid", {
    variables: [{ name: "given", type: "object" }],
    workflow: {
      tasks: [{ id: "t", type: "transform", parameters: { output: { zoo: "${given}", ant: 1 } } }],
      output: { zulu: "${t.output}", able: true },
    },
  });
  await bed.register("ordered", {
    variables: [{ name: "given", type: "object" }],
    workflow: {
      variables: { second: "${given}", first: { z: 1, a: 2 } },
      tasks: [
        { id: "s", type: "signal" },
        { id: "k", type: "subflow", depends_on: ["s"], parameters: { flow_id: "kid", input: { given: "${given}" } } },
        {
          id: "call",
          type: "noop",
          depends_on: ["k"],
          parameters: { output: { written: nested, computed: "${first}" } },
        },
      ],
      output: {
        signal: "${s.output}",
        kid: "${k.output}",
        call: "${call.output}",
        given: "${given}",
        made: "${second}",
      },
    },
  });
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, { ...startOf("ordered"), input: { given: nested } }, 0);
  await first.crash();
  const second = await bed.openInstance();
  await second.engine.signalRun(CALLER, run.state.runId, "s", nested);
  const { state } = await second.engine.waitRun(CALLER, run.state.runId, 10_000, NEVER);
  expect(state.phase).toBe("COMPLETED");
  expect(JSON.stringify(state.output)).toBe(
    JSON.stringify({
      signal: nested,
      kid: { zulu: { zoo: nested, ant: 1 }, able: true },
      call: { written: nested, computed: { z: 1, a: 2 } },
      given: nested,
      made: nested,
    }),
  );
  await second.stop();
  const third = await bed.openInstance();
  const read = await third.engine.getRun(CALLER, run.state.runId);
  expect(JSON.stringify(read.state.output)).toBe(JSON.stringify(state.output));
});
