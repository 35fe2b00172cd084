/** Calls that no run could make under the policy of the service, as far as the flow says them without expressions. */
import { expect, test } from "vitest";
import { openGate } from "../../guards/open-gate.ts";
import { linesOf, tasks, WORLD } from "./judge.ts";

const gate = openGate({
  calls: {
    allow: { types: ["http", "ai"], services: ["billing"], origins: ["https://api.example.com"], models: ["a/b"] },
  },
  tenants: { acme: { mode: "shadow" } },
});
const world = (tenantId: string) => ({ ...WORLD, whyDenied: gate.whyDenied.bind(null, tenantId) });
const DENIED = "GATE_DENIES_CALL workflow.tasks[0]: the gate policy denies this call: ";

test.each([
  ["{type: http, parameters: {service: crm}}", "service crm is not in calls.allow.services"],
  ["{type: http, parameters: {service: billing}}", null],
  ["{type: http, parameters: {service: '${vars.x}'}}", null],
  ["{type: http, parameters: {url: 'https://evil.example/x'}}", "https://evil.example is not in calls.allow.origins"],
  [
    "{type: http, parameters: {url: 'https://evil.example/${vars.x}'}}",
    "https://evil.example is not in calls.allow.origins",
  ],
  ["{type: http, parameters: {url: 'https://api.example.com/${vars.x}'}}", null],
  // The expression may still belong to the host.
  ["{type: http, parameters: {url: 'https://evil.example${vars.x}/y'}}", null],
  ["{type: ai, parameters: {provider: a, model: c, prompt: p}}", "model a/c is not in calls.allow.models"],
  ["{type: ai, parameters: {provider: a, model: b, prompt: p}}", null],
  ["{type: ai, parameters: {model: c, prompt: p}}", null],
  ["{type: worker, parameters: {queue: q, handler: h}}", "tasks of type worker are not in calls.allow.types"],
  ["{type: transform, parameters: {output: 1}}", null],
])("%s", async (task, why) => {
  const flow = `variables: [{name: x}]\n${tasks(task.replace("{", "{id: a, "))}`;
  expect(await linesOf(flow, world("default"))).toEqual(why === null ? [] : [DENIED + why]);
  expect(await linesOf(flow, world("acme"))).toEqual([]);
});
