/**
 * DBOS: a workflow of three steps, in process, on the sitting's Postgres. `DBOS.runStep` returns once the output of the
 * step is committed, so each result is durable before the next step begins.
 */
import { DBOS } from "@dbos-inc/dbos-sdk";
import { serveSubject } from "../harness/subject.ts";
import { versionOf } from "./version.ts";

async function doNothing(value: number): Promise<number> {
  return value + 1;
}

async function threeSteps(value: number): Promise<number> {
  const first = await DBOS.runStep(() => doNothing(value), { name: "first" });
  const second = await DBOS.runStep(() => doNothing(first), { name: "second" });
  return await DBOS.runStep(() => doNothing(second), { name: "third" });
}

serveSubject(async (settings) => {
  const poolSize = Number(settings.poolSize);
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: String(settings.databaseUrl),
    systemDatabasePoolSize: poolSize,
    logLevel: "error",
  });
  const workflow = DBOS.registerWorkflow(threeSteps, { name: "threeSteps" });
  await DBOS.launch();
  const call =
    settings.call === "direct"
      ? (index: number): Promise<number> => workflow(index)
      : async (index: number): Promise<number> => (await DBOS.startWorkflow(workflow)(index)).getResult();
  return {
    about: { "@dbos-inc/dbos-sdk": versionOf("@dbos-inc/dbos-sdk"), poolSize, call: String(settings.call) },
    run: async (index) => {
      const output = await call(index);
      if (output !== index + 3) throw new Error(`DBOS answered ${output} instead of ${index + 3}`);
      return 1;
    },
    close: () => DBOS.shutdown(),
  };
});
