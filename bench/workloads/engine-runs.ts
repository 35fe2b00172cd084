/** Our engine in process: 3-step runs; the caller gets the output from the engine's port. */
import { readFile } from "node:fs/promises";
import { serveSubject } from "../harness/subject.ts";
import { openBenchEngine } from "./open-engine.ts";

const WAIT_MS = 30_000;

serveSubject(async (settings) => {
  const engine = await openBenchEngine(String(settings.databaseUrl));
  await engine.register(await readFile(new URL("../flows/three-steps.yaml", import.meta.url), "utf8"));
  return {
    about: { commitConnections: engine.commitConnections },
    run: async (index) => {
      const { state } = await engine.start("three-steps", { value: index }, WAIT_MS);
      if (state.phase !== "COMPLETED" || JSON.stringify(state.output) !== `{"value":${index + 3}}`) {
        throw new Error(`Run ${state.runId} ended ${state.phase} with ${JSON.stringify(state.output)}`);
      }
      return 1;
    },
    close: () => engine.close(),
  };
});
