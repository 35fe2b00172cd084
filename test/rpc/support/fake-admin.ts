import { LogLevels } from "../../../src/telemetry/log/log-levels.ts";

/** An instance `a` whose log nobody reads. */
export function createFakeAdmin() {
  return {
    logControl: new LogLevels("info", () => {}),
    diagnostics: {
      instanceId: "a",
      ofInstance: async () => [{ name: "metrics.txt", content: "up 1\n" }],
      ofDatabase: async () => [{ name: "database/server.json", content: "{}\n" }],
    },
  };
}
