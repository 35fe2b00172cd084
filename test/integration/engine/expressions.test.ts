import { expect, test } from "vitest";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

// Cause: the library's replace was quadratic and charged as linear. The loop of the process stood still for minutes,
// after every restart again.
test.each([
  ["replace over a megabyte", "${size(x.replace('a', 'b'))}", 1_000_000],
  ["eight replaces in a row", `\${size(x${".replace('a', 'aaaaaaaaaa')".repeat(8)})}`, 16],
])("an expression that costs too much fails its task, and others go on: %s", async (name, output, length) => {
  const { engine } = await bed.openInstance();
  const flow = `costly-${length}`;
  await bed.register(flow, {
    variables: [{ name: "x", type: "string", required: true }],
    workflow: { tasks: [{ id: "first", type: "transform", parameters: { output } }] },
  });
  const { run } = await engine.startRun(CALLER, { ...startOf(flow), input: { x: "a".repeat(length) } }, 10_000);
  expect(run.state.phase, name).toBe("FAILED");
  expect(run.state.tasks.get("first")?.error?.type).toBe("EXPRESSION_TOO_COSTLY");
});

test("now() is the time of the transition, and what it gave is kept", async () => {
  const { engine } = await bed.openInstance();
  await bed.register("times", {
    workflow: {
      tasks: [
        { id: "a", type: "transform", parameters: { output: ["${now()}", "${now()}"] } },
        { id: "b", type: "transform", depends_on: ["a"], parameters: { output: "${now()}" } },
        { id: "pause", type: "wait", depends_on: ["b"], parameters: { duration: "50ms" } },
        { id: "c", type: "transform", depends_on: ["pause"], parameters: { output: "${now() > timestamp(b.output)}" } },
      ],
      output: ["${a.output}", "${b.output}", "${c.output}", "${run.start_time}"],
    },
  });
  const { run } = await engine.startRun(CALLER, startOf("times"), 10_000);
  const [[first = "", second], b, c, start] = run.state.output as [string[], string, boolean, string];
  expect(second).toBe(first);
  // A run that has used up its turn goes on in a transition of its own.
  expect([start, first, b].toSorted()).toEqual([start, first, b]);
  expect(c).toBe(true);
});
