/** Lets runs go on whose budgets have been raised. Each instance does so for the runs of its own shards. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BudgetRaises } from "../ports/models/budgets.ts";
import type { RunControl } from "../ports/run-control.ts";
import type { OwnedShards } from "../shard/ownership/owned-shards.ts";

export interface RaisedParts {
  readonly raises: BudgetRaises;
  readonly control: Pick<RunControl, "resumeRun">;
  readonly shards: Pick<OwnedShards, "shardOf" | "epochOf">;
  readonly log: Log;
}

/** Most runs of one look. */
const PAGE = 500;

/** Looks once. */
export async function resumeRaised({ raises, control, shards, log }: RaisedParts): Promise<void> {
  for (let after = ""; ; ) {
    const page = await raises.listRaised(after, PAGE);
    for (const { tenantId, runId, by, why } of page) {
      if (shards.epochOf(shards.shardOf(runId)) === undefined) continue;
      try {
        await control.resumeRun({ tenantId, actor: by }, runId, ["budget"], why);
      } catch (error) {
        if (!isOrchestratorError(error) || (error.code !== "RUN_FINISHED" && error.grpc !== "NOT_FOUND")) {
          log.warn("a run whose budget was raised cannot go on yet; it is tried again", { tenantId, runId, error });
          continue;
        }
      }
      await raises.forget(tenantId, runId);
    }
    if (page.length < PAGE) return;
    after = page.at(-1)?.runId ?? "";
  }
}
