import { expect, test } from "vitest";
import type { OrchestratorError } from "../../../src/base/errors.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { printConfig } from "../../../src/config/print.ts";

const KEY = Buffer.alloc(32, 9).toString("base64");
const OTHER = Buffer.alloc(40, 8).toString("base64url");

test("token keys are a list, the first one first, and are never printed", async () => {
  const loaded = await loadConfig({ env: { ORCHESTRATOR_TOKEN_KEYS: `7:${KEY}, 2:${OTHER}` } });
  expect(loaded.config.workers.tokenKeys).toEqual([
    { id: 7, secret: Buffer.alloc(32, 9) },
    { id: 2, secret: Buffer.alloc(40, 8) },
  ]);
  expect(printConfig(loaded)).toMatch(/# token_keys: \(set, not shown\)/);
  expect((await loadConfig({ env: {} })).config.workers.tokenKeys).toEqual([]);
});

test.each([
  [`1:${KEY}`, "key 1 cannot be used: its id is not 2 to 255 (1 is the key of the database)"],
  [`256:${KEY}`, "key 1 cannot be used: its id is not 2 to 255"],
  [`2:${KEY},2:${OTHER}`, "key 2 cannot be used: its id is taken"],
  [`2:${KEY},3:c2hvcnQ=`, "key 2 cannot be used: it has 5 bytes, and needs 32"],
  ["2:", "key 1 cannot be used: it has 0 bytes, and needs 32"],
  [KEY, "key 1 cannot be used: write id:base64"],
  [`2:${KEY}!`, "key 1 cannot be used: write id:base64"],
  ["[2", 'expected a list: a, b or ["a", "b"]'],
])("the keys %s are one clear error that does not repeat them", async (keys, sentence) => {
  const error = await loadConfig({ env: { ORCHESTRATOR_TOKEN_KEYS: keys } }).then(
    () => expect.unreachable("the keys should be refused"),
    (thrown: OrchestratorError) => thrown,
  );
  expect(error.violations).toEqual([
    { field: "ORCHESTRATOR_TOKEN_KEYS", description: expect.stringContaining(sentence) },
  ]);
  expect(error.message).not.toContain(KEY.slice(0, 20));
});
