/** The token is seen by Grafana, and by nobody else. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { EDITOR_TOKEN, type GrafanaStandIn, startGrafana } from "../../support/grafana/stand-in.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { createSyncFolder, EXIT, runSync } from "./run-sync.ts";

async function openBed(): Promise<{ grafana: GrafanaStandIn; env: Record<string, string> }> {
  const grafana = await startGrafana();
  const env = {
    OBSERVABILITY_DIR: createSyncFolder().path,
    SYNC_STATE_DIR: createTemporaryFolder(),
    ENVIRONMENT: "production",
    GRAFANA_URL: grafana.url,
    GRAFANA_API_KEY: EDITOR_TOKEN,
  };
  return { grafana, env };
}

/** Arguments and environment of a process; empty when it has ended. */
function readProcess(pid: number): { readonly args: string; readonly environment: string } {
  try {
    return {
      args: readFileSync(`/proc/${pid}/cmdline`, "utf8"),
      environment: readFileSync(`/proc/${pid}/environ`, "utf8"),
    };
  } catch {
    return { args: "", environment: "" };
  }
}

/** A process and everything that it started. */
function familyOf(pid: number): readonly number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return [
          Number(name),
          Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1]),
        ] as const;
      } catch {
        return [0, 0] as const;
      }
    });
  const family = [pid];
  for (const one of family) family.push(...parents.filter(([, parent]) => parent === one).map(([child]) => child));
  return family;
}

describe("the token", () => {
  test("is in no output and no trace, also when Grafana repeats it", async () => {
    const { grafana, env } = await openBed();
    const command = ["--insecure", "sync-dashboards"];
    const traced = await runSync(command, env, { shell: ["bash", "-xv"] });
    expect(traced.code).toBe(EXIT.ok);
    expect(traced.err).toContain("+ request GRAFANA");
    expect(traced.out + traced.err).not.toContain(EDITOR_TOKEN);
    grafana.fail(({ path }) =>
      path.startsWith("/api/folders") ? { status: 400, body: { message: `bad token ${EDITOR_TOKEN}` } } : undefined,
    );
    const echoed = await runSync(command, env);
    expect(echoed.code).toBe(EXIT.failed);
    expect(echoed.err).toContain("400: bad token ***");
    expect(echoed.out + echoed.err).not.toContain(EDITOR_TOKEN);
  });

  test.skipIf(process.platform !== "linux")(
    "is in no arguments, and in the environment of the script only",
    async () => {
      const { grafana, env } = await openBed();
      let started: number | undefined;
      let seen: readonly string[] = [];
      let checked = 0;
      grafana.fail(() => {
        // Curl waits for this answer: its process and those above are there to look at.
        for (const pid of started === undefined ? [] : familyOf(started)) {
          const { args, environment } = readProcess(pid);
          if (args.startsWith("curl")) checked++;
          if (args.includes(EDITOR_TOKEN)) seen = [...seen, `arguments of ${args}`];
          if (pid !== started && args.startsWith("curl") && environment.includes(EDITOR_TOKEN))
            seen = [...seen, `environment of ${args}`];
        }
        return undefined;
      });
      const { code } = await runSync(["--insecure", "sync-dashboards"], env, {
        whileRunning: async (pid) => {
          started = pid;
        },
      });
      expect(code).toBe(EXIT.ok);
      expect(checked).toBeGreaterThan(0);
      expect(seen).toEqual([]);
    },
  );

  test("is not sent over http:// without --insecure", async () => {
    const { grafana, env } = await openBed();
    const { code, err } = await runSync(["sync-dashboards"], env);
    expect(code).toBe(EXIT.usage);
    expect(err).toContain("--insecure");
    expect(grafana.requests).toEqual([]);
  });

  test("with characters that no token has is refused before anything is sent", async () => {
    const { grafana, env } = await openBed();
    for (const token of ["two\nlines", 'quote"', ""]) {
      const { code, err } = await runSync(["--insecure", "sync-dashboards"], { ...env, GRAFANA_API_KEY: token });
      expect(code).toBe(EXIT.usage);
      expect(err).toContain("GRAFANA_API_KEY");
    }
    expect(grafana.requests).toEqual([]);
  });

  test("leaves no file behind", async () => {
    const { env } = await openBed();
    const temporary = createTemporaryFolder();
    await runSync(["--insecure", "sync-dashboards"], { ...env, TMPDIR: temporary });
    await eventually(() => expect(readdirSync(temporary)).toEqual([]));
    const state = env["SYNC_STATE_DIR"] ?? "";
    const kept = readdirSync(state, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    expect(kept.length).toBeGreaterThan(0);
    for (const { parentPath, name } of kept)
      expect(readFileSync(`${parentPath}/${name}`, "utf8")).not.toContain(EDITOR_TOKEN);
  });
});
