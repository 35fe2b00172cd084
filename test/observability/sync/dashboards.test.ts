/** Folders and dashboards to Grafana, in both generations of its API. Grafana is a strict stand-in. */
import { describe, expect, test } from "vitest";
import { EDITOR_TOKEN, type GrafanaStandIn, startGrafana, VIEWER_TOKEN } from "../../support/grafana/stand-in.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { createSyncFolder, dashboard, EXIT, runSync, type Synced, type SyncFolder } from "./run-sync.ts";

interface Bed {
  readonly folder: SyncFolder;
  readonly grafana: GrafanaStandIn;
  readonly env: Record<string, string>;
  sync(...args: string[]): Promise<Synced>;
}

type Version = NonNullable<Parameters<typeof startGrafana>[0]>;

async function openBed(version: Version): Promise<Bed> {
  const folder = createSyncFolder();
  const grafana = await startGrafana(version);
  const env = {
    OBSERVABILITY_DIR: folder.path,
    SYNC_STATE_DIR: createTemporaryFolder(),
    ENVIRONMENT: "prod",
    GRAFANA_URL: grafana.url,
    GRAFANA_API_KEY: EDITOR_TOKEN,
  };
  const sync = (...args: string[]): Promise<Synced> => runSync(["--insecure", "sync-dashboards", ...args], env);
  return { folder, grafana, env, sync };
}

test.each<[Version, "/api/" | "/apis/"]>([
  ["11.6.0", "/api/"],
  ["12.4.1", "/apis/"],
  ["13.1.0", "/apis/"],
  ["", "/api/"],
])("Grafana %j is written to by %s only", async (version, root) => {
  const { grafana, sync } = await openBed(version);
  expect(await sync()).toMatchObject({ code: EXIT.ok, err: "" });
  expect(grafana.writes()).toHaveLength(3);
  expect(grafana.writes().filter((write) => !write.includes(` ${root}`))).toEqual([]);
});

// One of each generation of the API.
describe.each<Version>(["11.6.0", "13.1.0"])("dashboards to Grafana %s", (version) => {
  test("folders and dashboards are created, and a second run writes nothing", async () => {
    const { grafana, sync } = await openBed(version);
    const first = await sync();
    expect(first).toMatchObject({ code: EXIT.ok, err: "" });
    expect(first.out).toMatch(/^3 created$/m);
    expect(grafana.folders.get("orchestrator")?.title).toBe("Orchestrator");
    expect(grafana.dashboards.get("orchestrator")).toMatchObject({
      folder: "orchestrator",
      title: "Title of orchestrator",
    });
    expect(grafana.dashboards.get("orchestrator")?.spec).toMatchObject({
      tags: ["sync-orchestrator"],
      templating: { list: [{ name: "environment", query: "production" }] },
    });
    const written = grafana.writes().length;
    expect(written).toBe(3);
    const second = await sync();
    expect(second).toMatchObject({ code: EXIT.ok, err: "" });
    expect(second.out).toMatch(/^3 unchanged$/m);
    expect(grafana.writes()).toHaveLength(written);
    expect(grafana.requests.filter(({ status }) => status >= 400 && status !== 404)).toEqual([]);
  });

  test("a changed dashboard, a moved one, and a renamed folder are updated", async () => {
    const { grafana, folder, sync } = await openBed(version);
    await sync();
    folder.write("dashboards/orchestrator.json", dashboard("orchestrator", { title: "Another" }));
    folder.write("grafana/folders.json", {
      service: "orchestrator",
      folders: [
        { uid: "orchestrator", title: "Renamed" },
        { uid: "more", title: "More" },
      ],
      default: "orchestrator",
      dashboards: { "orchestrator-api": "more" },
    });
    const { code, err, out } = await sync();
    expect({ code, err }).toEqual({ code: EXIT.ok, err: "" });
    expect(out).toMatch(/^1 created, 3 updated$/m);
    expect(grafana.dashboards.get("orchestrator")?.title).toBe("Another");
    expect(grafana.dashboards.get("orchestrator-api")?.folder).toBe("more");
    expect(grafana.folders.get("orchestrator")?.title).toBe("Renamed");
    expect((await sync("--check")).code).toBe(EXIT.ok);
  });

  test("a dry run shows calls and differences, and writes nothing", async () => {
    const { env, grafana, folder, sync } = await openBed(version);
    const empty = await sync("--dry-run", "--prune");
    expect(empty).toMatchObject({ code: EXIT.ok, err: "" });
    expect(empty.out).toContain(`POST ${grafana.url}/`);
    expect(empty.out).toMatch(/^to create {2}dashboard orchestrator-api$/m);
    expect(grafana.writes()).toEqual([]);
    await sync();
    const written = grafana.writes().length;
    folder.write("dashboards/orchestrator.json", dashboard("orchestrator", { title: "Another" }));
    expect((await sync("--dry-run")).code).toBe(EXIT.ok);
    expect((await sync("--check")).code).toBe(EXIT.drift);
    const difference = await runSync(["--insecure", "diff"], env);
    expect(difference.code).toBe(EXIT.drift);
    expect(difference.out).toContain('-  "title": "Title of orchestrator"');
    expect(difference.out).toContain('+  "title": "Another"');
    expect(grafana.writes()).toHaveLength(written);
  });

  test("--prune removes dashboards with our tag only", async () => {
    const { grafana, folder, sync } = await openBed(version);
    folder.write("dashboards/old.json", dashboard("old"));
    await sync();
    const foreign = { uid: "foreign", title: "Foreign", folder: "orchestrator", version: 1, spec: { tags: ["mine"] } };
    grafana.dashboards.set("foreign", foreign);
    folder.remove("dashboards/old.json");
    expect((await sync()).out).not.toContain("dashboard old");
    const { code, err, out } = await sync("--prune");
    expect({ code, err }).toEqual({ code: EXIT.ok, err: "" });
    expect(out).toMatch(/^pruned {5}dashboard old$/m);
    expect([...grafana.dashboards.keys()].sort()).toEqual(["foreign", "orchestrator", "orchestrator-api"]);
  });

  test("a dashboard of somebody else with the same uid is left alone", async () => {
    const { grafana, sync } = await openBed(version);
    const foreign = { uid: "orchestrator", title: "Mine", folder: "", version: 4, spec: {} };
    grafana.dashboards.set("orchestrator", foreign);
    const { code, err } = await sync();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("give it the tag sync-orchestrator");
    expect(grafana.dashboards.get("orchestrator")).toEqual(foreign);
    expect(grafana.dashboards.has("orchestrator-api")).toBe(true);
  });

  test("an update that somebody else was faster than is made again, from what is there then", async () => {
    const { grafana, folder, sync } = await openBed(version);
    await sync();
    folder.write("dashboards/orchestrator.json", dashboard("orchestrator", { title: "Another" }));
    let others = 0;
    grafana.fail(({ method, path }) => {
      const found = grafana.dashboards.get("orchestrator");
      const isWrite = method !== "GET" && path.includes("dashboard");
      if (isWrite && others++ === 0 && found !== undefined)
        grafana.dashboards.set("orchestrator", { ...found, title: "In between", version: found.version + 1 });
      return undefined;
    });
    expect(await sync()).toMatchObject({ code: EXIT.ok, err: "" });
    expect(grafana.dashboards.get("orchestrator")?.title).toBe("Another");
    // The first attempt was refused: it named the version that it was to replace.
    const refused = grafana.requests.filter(({ status }) => status === 409 || status === 412);
    expect(refused).toHaveLength(1);
  });

  test("500 and 429 are repeated, and what took effect is not taken for a conflict", async () => {
    const { grafana, sync } = await openBed(version);
    const seen = new Map<string, number>();
    grafana.fail(({ method, path }) => {
      const key = `${method} ${path}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (seen.get(key) !== 1 || path === "/api/health") return undefined;
      return method === "GET" ? { status: 429, headers: { "retry-after": "0" } } : { status: 500, late: true };
    });
    const { code, err } = await sync();
    expect({ code, err }).toEqual({ code: EXIT.ok, err: "" });
    expect(grafana.dashboards.size).toBe(2);
    expect((await sync("--check")).code).toBe(EXIT.ok);
  });

  test("a cut connection fails the run, and the next one brings the rest", async () => {
    const { grafana, sync } = await openBed(version);
    grafana.fail(({ method }) => (method !== "GET" && grafana.dashboards.size === 1 ? "cut" : undefined));
    const { code, err } = await sync();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(grafana.url);
    expect(grafana.dashboards.size).toBe(1);
    grafana.fail(() => undefined);
    const again = await sync();
    expect(again).toMatchObject({ code: EXIT.ok, err: "" });
    expect(again.out).toMatch(/^1 created, 2 unchanged$/m);
  });

  test("rollback puts back what the last run replaced, and removes what it brought", async () => {
    const { env, grafana, folder, sync } = await openBed(version);
    await sync();
    folder.write("dashboards/orchestrator.json", dashboard("orchestrator", { title: "Another" }));
    folder.write("dashboards/new.json", dashboard("new"));
    await sync();
    const back = await runSync(["--insecure", "rollback"], env);
    expect(back).toMatchObject({ code: EXIT.ok, err: "" });
    expect(grafana.dashboards.get("orchestrator")).toMatchObject({
      title: "Title of orchestrator",
      folder: "orchestrator",
    });
    expect(grafana.dashboards.has("new")).toBe(false);
    // The one before that.
    expect((await runSync(["--insecure", "rollback"], env)).code).toBe(EXIT.ok);
    expect([...grafana.dashboards.keys()]).toEqual([]);
    expect((await runSync(["--insecure", "rollback"], env)).err).toContain("no run to roll back");
  });
});

describe("refusals of Grafana", () => {
  test("a token that it does not know, or that may not write, ends the run with the cure", async () => {
    const { env, grafana } = await openBed("11.6.0");
    const command = ["--insecure", "sync-dashboards"];
    const wrong = await runSync(command, { ...env, GRAFANA_API_KEY: "glsa_wrong" });
    expect(wrong.code).toBe(EXIT.failed);
    expect(wrong.err).toContain("401: Invalid API key");
    expect(wrong.err).toContain("service account");
    const viewer = await runSync(command, { ...env, GRAFANA_API_KEY: VIEWER_TOKEN });
    expect(viewer.code).toBe(EXIT.failed);
    expect(viewer.err).toContain("role Editor");
    // Neither is repeated.
    expect(grafana.writes()).toHaveLength(1);
  });

  test("a server that keeps failing is asked four times, and then named", async () => {
    const { grafana, sync } = await openBed("11.6.0");
    grafana.fail(({ path }) =>
      path === "/api/folders/orchestrator" ? { status: 503, body: "<h1>busy</h1>" } : undefined,
    );
    const { code, err } = await sync("--only", "orchestrator");
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("folder orchestrator: 503: <h1>busy</h1>");
    expect(grafana.requests.filter(({ path }) => path === "/api/folders/orchestrator")).toHaveLength(4);
  });

  test("a folder that vanishes in between fails its dashboards, and the others are tried", async () => {
    const { grafana, sync } = await openBed("11.6.0");
    await sync();
    grafana.dashboards.clear();
    grafana.fail(({ path }) => {
      if (path.startsWith("/api/dashboards")) grafana.folders.clear();
      return undefined;
    });
    const { code, err } = await sync();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("dashboard orchestrator-api: 404: folder not found");
    expect(err).toContain("dashboard orchestrator: 404: folder not found");
  });

  test("two dashboards with one title in a folder: the message is Grafana's", async () => {
    const { grafana, sync } = await openBed("11.6.0");
    await sync("--only", "orchestrator-api");
    const foreign = { uid: "x", title: "Title of orchestrator", folder: "orchestrator", version: 1, spec: {} };
    grafana.dashboards.set("x", foreign);
    const { code, err } = await sync();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("dashboard orchestrator: 412: A dashboard with the same name in the folder already exists");
  });

  test("an answer without end is cut off", async () => {
    const { grafana, sync } = await openBed("11.6.0");
    const body = `"${"x".repeat(60_000_000)}"`;
    grafana.fail(({ path }) =>
      path === "/api/folders/orchestrator"
        ? { status: 200, body, headers: { "content-length": String(body.length) } }
        : undefined,
    );
    const { code, err } = await sync();
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("Maximum file size exceeded");
    expect(grafana.writes()).toEqual([]);
  });

  test("a redirect is not followed with the token", async () => {
    const { grafana, sync } = await openBed("11.6.0");
    const elsewhere = await startGrafana();
    grafana.fail(({ path }) =>
      path === "/api/health" ? undefined : { status: 302, headers: { location: `${elsewhere.url}/login` } },
    );
    expect((await sync()).code).toBe(EXIT.failed);
    expect(elsewhere.requests).toEqual([]);
  });
});
