import type { HealthState } from "../api/health.ts";
import type { Log } from "../base/log.ts";
import type { Database } from "../store/pool.ts";

/** How often the database is asked, milliseconds. */
const EVERY_MS = 15_000;

/** Tells health whether the database answers: one small query every fifteen seconds. Returns the function that ends it. */
export function watchDatabase(database: Database, health: HealthState, log: Log): () => void {
  let isReady = true;
  let stopped = false;
  const look = async (): Promise<void> => {
    const error = await database.reads.query("SELECT 1").then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (stopped) return;
    if ((error === null) !== isReady) {
      isReady = error === null;
      health.setDependency("database", isReady);
      if (isReady) log.info("the database answers again");
      else log.error("the database does not answer; calls are refused until it does", { error });
    }
    timer = setTimeout(look, EVERY_MS).unref();
  };
  let timer = setTimeout(look, EVERY_MS).unref();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
