import { expect, test } from "vitest";
import type { OrchestratorError } from "../../../src/base/errors.ts";
import { loadConfig } from "../../../src/config/config.ts";

// Cause: a request id was free again after an hour, and started a second operation.
test("what request ids have started is kept for as long as they last", async () => {
  for (const name of [
    "ORCHESTRATOR_OPERATION_RETENTION",
    "ORCHESTRATOR_MESSAGE_RETENTION",
    "ORCHESTRATOR_REQUEST_ID_RETENTION",
  ]) {
    const load = (kept: string) => loadConfig({ env: { [name]: kept } });
    for (const kept of ["0", "24h"]) await load(kept);
    const refused = (await load("23h").catch((error: unknown) => error)) as OrchestratorError;
    expect(refused.message).toContain(`${name}: 0, or at least 24h, which request ids last`);
  }
});
