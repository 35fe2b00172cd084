import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { loadConfig } from "../../../../src/config/config.ts";
import { openGate } from "../../../../src/service/parts/gate.ts";
import { createParts } from "../../../../src/service/parts/parts.ts";

/** The state of Reflex with these variables, and the warnings of the start. */
async function open(env: Readonly<Record<string, string>>) {
  const { config } = await loadConfig({ env });
  const warnings: string[] = [];
  const parts = createParts(silentLog);
  onTestFinished(() => parts.close());
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const { goalCheck, callGate } = await openGate(config, Buffer.from("key"), log, parts);
  return { reflex: goalCheck.reflex, isReported: parts.connections.has("reflex"), callGate, warnings };
}

const off = { reflex: "disabled", isReported: false, callGate: null, warnings: [] };

test("a Reflex that nobody has named is not asked: a fresh install takes goals", async () => {
  expect(await open({})).toEqual(off);
});

test.each([
  ["its URL is set", { ORCHESTRATOR_REFLEX_URL: "http://127.0.0.1:9" }],
  ["it is switched on, and is at its usual place", { ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "true" }],
])("it is asked if %s", async (_, env) => {
  expect(await open(env)).toMatchObject({ reflex: "unavailable", isReported: true });
});

test("it is not asked if it is switched off, whatever its URL", async () => {
  const env = { ORCHESTRATOR_REFLEX_URL: "http://127.0.0.1:9", ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "false" };
  expect(await open(env)).toEqual(off);
});

test("if its usual place is this service itself, there is none, and a warning says so", async () => {
  const env = { ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "true", ORCHESTRATOR_PORT: "8080" };
  expect(await open(env)).toEqual({
    ...off,
    warnings: ["Reflex is not asked: its usual place is a port of this service"],
  });
});
