import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { openGraphHost } from "../../../src/engine/graph/host.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

// Cause: a module outside of the checkout looked for LangGraph beside itself, and there was none.
test("a module outside of any project gets the service's LangGraph; other packages stay unknown to it", async () => {
  const module = join(createTemporaryFolder(), "review.ts");
  cpSync("examples/graphs/review.ts", module);
  const open = (path: string) => openGraphHost({ modules: [path], checkpoints: {} as never, log: silentLog });
  const host = await open(module);
  expect(host.names()).toContain("review");
  await host.close();
  const other = join(createTemporaryFolder(), "other.ts");
  writeFileSync(other, 'import "pino";\n');
  await expect(open(other)).rejects.toMatchObject({
    code: "GRAPH_MODULE_INVALID",
    message: expect.stringContaining("pino"),
  });
});
