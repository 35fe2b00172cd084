/**
 * Cause: an estimate dropped what the dry run had assumed and the ways that it had not followed to their end, so that
 * people approved "0 calls at most" for drafts that make thousands.
 */
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { JsonObject } from "../../../../src/base/json/json.ts";
import { dryRun } from "../../../../src/engine/dry-run/dry-run.ts";
import { estimateDraft } from "../../../../src/engine/generation/estimate.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

async function estimate(text: string, given: JsonObject | null = null) {
  const document = { id: "f", version: "1", ...(parse(text) as JsonObject) };
  const { plan } = await compileFlow({ document });
  const draft = { text, document, plan, hash: "h", templateId: "f" };
  const estimates = { sizeOf: () => null };
  const dryRuns = {
    dryRunForStep: async (_: string, { input, mocks }: { input: JsonObject; mocks: ReadonlyMap<string, never> }) =>
      dryRun({ plan, document, input, mocks, estimates, now: 1_000_000 }),
  } as unknown as Parameters<typeof estimateDraft>[0];
  return estimateDraft(dryRuns, "default", draft, { given, signal: AbortSignal.timeout(60_000) });
}

const CALL = 'type: http, parameters: {url: "https://api.example/"}';
const ONCE = `${CALL}, retry_policy: {max_retries: 0}`;
const mapOver = (items: string): string =>
  `workflow: {tasks: [{id: each, type: map, parameters: {items: ${items}, task: {${ONCE}}}}]}`;

test("nothing that had to be assumed: the most calls are the most", async () => {
  expect(await estimate(`workflow: {tasks: [{id: a, ${ONCE}}]}`)).toMatchObject({
    ...{ mostCalls: 1, isCut: false, isLowerBound: false, assumptions: [] },
  });
});

test("a sample of a required variable is an assumption", async () => {
  const found = await estimate(`variables: [{name: list, type: array, required: true}]\n${mapOver('"${vars.list}"')}`);
  expect(found).toMatchObject({ mostCalls: 0, isCut: false, isLowerBound: true });
  expect(found?.assumptions).toEqual([{ place: "vars.list", what: "it is []" }]);
});

test("what a run is given is no assumption; where it lacks something, nobody knows what a run does", async () => {
  const text = `variables: [{name: list, type: array, required: true}]\n${mapOver('"${vars.list}"')}`;
  expect(await estimate(text, { list: [1, 2, 3], other: "x" })).toMatchObject({ mostCalls: 3, assumptions: [] });
  expect(await estimate(text, { other: "x" })).toBeNull();
});

test("items that are not known are an assumption", async () => {
  const text = `workflow: {tasks: [{id: list, ${ONCE}}, {id: each, type: map, depends_on: [list],
    parameters: {items: "\${list.output.body}", task: {${ONCE}}}}]}`;
  const found = await estimate(text);
  expect(found).toMatchObject({ mostCalls: 2, isLowerBound: true });
  expect(found?.assumptions).toEqual([{ place: "each", what: expect.stringContaining("one item") }]);
});

test("attempts that may follow, compensations, and states after a failure are assumptions", async () => {
  const retried = await estimate(`workflow: {tasks: [{id: a, ${CALL}, retry_policy: {max_retries: 1000}}]}`);
  expect(retried).toMatchObject({
    ...{ mostCalls: 1, isLowerBound: true },
    assumptions: [{ place: "a", what: "its first attempt succeeds; 1000 more may follow" }],
  });
  const inMap = await estimate(
    `workflow: {tasks: [{id: each, type: map, parameters: {items: [1, 2], task: {${CALL}, retry_policy: {max_retries: 2}}}}]}`,
  );
  expect(inMap).toMatchObject({
    mostCalls: 2,
    isLowerBound: true,
    assumptions: [{ what: expect.stringContaining("2 more may follow") }],
  });
  const queued = await estimate("workflow: {tasks: [{id: a, type: queue, parameters: {handler: h}}]}");
  expect(queued).toMatchObject({ mostCalls: 1, isLowerBound: true, assumptions: [{ place: "a" }] });
  const undone = await estimate(
    `workflow: {tasks: [{id: a, ${ONCE}, compensate_with: b}, {id: b, ${ONCE}}, {id: c, ${ONCE}, depends_on: [a]}]}`,
  );
  expect(undone).toMatchObject({ isLowerBound: true, assumptions: [{ place: "b", what: "no failure leads to it" }] });
  const caught = await estimate(`workflow: {states: [
    {id: a, task: {${ONCE}}, transitions: [{to: done}], on_error: [{to: b}]},
    {id: b, task: {${ONCE}}, transitions: [{to: done}]}, {id: done, final: completed}]}`);
  expect(caught).toMatchObject({ isLowerBound: true, assumptions: [{ place: "b", what: "no failure leads to it" }] });
});

test("a way that is not followed to its end cuts the estimate", { timeout: 60_000 }, async () => {
  const found = await estimate(mapOver(`[${Array.from({ length: 6_000 }, (_, index) => index)}]`));
  expect(found).toMatchObject({ isCut: true, isLowerBound: true, assumptions: [] });
});
