/** Rules to a real Prometheus: checked before, verified after, taken back when it does not run them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PAGES } from "../../../observability/src/pages.ts";
import { type Prometheus, type PrometheusOptions, startPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { startHeldProxy } from "./held-proxy.ts";
import { alertRule, createSyncFolder, EXIT, rulesFile, runSync, STACK_MISSING, type SyncFolder } from "./run-sync.ts";

interface Bed {
  readonly folder: SyncFolder;
  readonly rulesDir: string;
  readonly prometheus: Prometheus;
  readonly env: Record<string, string>;
  /** Names of the rules that run, without the one that records the digest. */
  running(): Promise<readonly string[]>;
}

async function openBed(options: PrometheusOptions = {}): Promise<Bed> {
  const folder = createSyncFolder();
  const rulesDir = createTemporaryFolder();
  const prometheus = await startPrometheus({ rulesDir, externalLabels: { environment: "staging" }, ...options });
  const env = {
    OBSERVABILITY_DIR: folder.path,
    SYNC_STATE_DIR: createTemporaryFolder(),
    ENVIRONMENT: "staging",
    PROMETHEUS_URL: prometheus.url,
    PROMETHEUS_RULES_DIR: rulesDir,
  };
  const running = async (): Promise<readonly string[]> =>
    (await prometheus.rules()).map(({ name }) => name).filter((name) => name !== "sync:rules:info");
  return { folder, rulesDir, prometheus, env, running };
}

/** Rules that Prometheus refuses. */
const BROKEN = rulesFile("broken", { alert: "Broken", expr: "sum(" });

describe.skipIf(STACK_MISSING)("rules to Prometheus", () => {
  test("rules run after a sync, and a second one has nothing to do", async () => {
    const { env, prometheus, rulesDir, running } = await openBed();
    const first = await runSync(["sync-alerts"], env);
    expect(first.err).toBe("");
    expect(first.code).toBe(EXIT.ok);
    expect(first.out).toMatch(/3 created$/m);
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
    const info = (await prometheus.rules()).find(({ name }) => name === "sync:rules:info");
    expect(info?.labels).toMatchObject({ environment: "staging", service: "orchestrator" });
    expect(readdirSync(rulesDir).sort()).toEqual([
      "orchestrator-alerts.rules.yml",
      "orchestrator-recording.rules.yml",
      "orchestrator-sync.rules.yml",
    ]);

    const second = await runSync(["sync-alerts", "--check"], env);
    expect(second).toMatchObject({ code: EXIT.ok, err: "" });
    expect(second.out).toMatch(/^3 unchanged/m);
    // Without a reload, too.
    await prometheus.stop();
    expect((await runSync(["sync-alerts"], env)).code).toBe(EXIT.failed);
  });

  test("alerts lead to the pages of the installation, whatever characters its addresses have", async () => {
    const { env, folder, rulesDir } = await openBed();
    const rule = alertRule("Led");
    const annotations = { runbook_url: `${PAGES.runbook}#led`, dashboard_url: `${PAGES.dashboards}/orchestrator` };
    folder.write("alerts.yaml", rulesFile("alerts", { ...rule, annotations }));
    const pages = { PAGES_URL: "https://git.example.com/a&b|c/*", GRAFANA_PUBLIC_URL: "https://graphs.example.com/" };
    expect(await runSync(["sync-alerts"], { ...env, ...pages })).toMatchObject({ code: EXIT.ok, err: "" });
    const installed = readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8");
    expect(installed).toContain("runbook_url: https://git.example.com/a&b|c/*/runbook.md#led");
    expect(installed).toContain("dashboard_url: https://graphs.example.com/d/orchestrator");
  });

  test("a broken rule file is named, nothing is written, and the old rules stay", async () => {
    const { env, folder, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    folder.write("alerts.yaml", BROKEN);
    folder.write("prometheus/recording.rules.yml", rulesFile("recording", { record: "other", expr: "sum(up)" }));
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.validation);
    expect(err).toMatch(/alerts\.yaml: .*\n*.*parse error/);
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
    expect(readFileSync(join(rulesDir, "orchestrator-recording.rules.yml"), "utf8")).toContain("job:up:sum");
  });

  test("rules whose tests fail are not installed", async () => {
    const { env, folder, rulesDir } = await openBed();
    folder.write(
      "prometheus/recording.rules.yml",
      rulesFile("recording", { record: "job:up:sum", expr: "sum(up) + 1" }),
    );
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.validation);
    expect(err).toContain("prometheus/tests/recording.test.yml: ");
    expect(readdirSync(rulesDir)).toEqual([]);
  });

  test("rules that Prometheus refuses are taken back, and the message names the file that it refused", async () => {
    const { env, folder, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    const before = readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8");
    folder.write("alerts.yaml", rulesFile("alerts", alertRule("Newer")));
    folder.write("prometheus/more.rules.yml", rulesFile("more", { record: "more", expr: "1" }));
    // Somebody else's file breaks the reload.
    writeFileSync(join(rulesDir, "foreign.yml"), BROKEN);
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`broken: ${join(rulesDir, "foreign.yml")}`);
    expect(err).toContain("the former rules are back");
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
    expect(readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8")).toBe(before);
    expect(existsSync(join(rulesDir, "orchestrator-more.rules.yml"))).toBe(false);
  });

  test("without the lifecycle API the files are taken back, and the message says how to start Prometheus", async () => {
    const { env, rulesDir } = await openBed({ canReload: false });
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("--web.enable-lifecycle");
    expect(readdirSync(rulesDir)).toEqual([]);
  });

  test("a Prometheus that reads another folder is noticed", async () => {
    const { env, running } = await openBed();
    const elsewhere = createTemporaryFolder();
    const { code, err } = await runSync(["sync-alerts"], { ...env, PROMETHEUS_RULES_DIR: elsewhere });
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`rule_files of its configuration must match ${elsewhere}/*.yml`);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(await running()).toEqual([]);
  });

  test("rules of production do not reach the Prometheus of staging", async () => {
    const { env, rulesDir } = await openBed();
    const { code, err } = await runSync(["sync-alerts", "--env", "prod"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("is Prometheus of staging");
    expect(readdirSync(rulesDir)).toEqual([]);
  });

  test("both vocabularies name the same environment", async () => {
    const { env } = await openBed({ externalLabels: { region: "north", environment: "dev" } });
    expect(await runSync(["sync-alerts", "--env", "development"], env)).toMatchObject({ code: EXIT.ok, err: "" });
    expect((await runSync(["sync-alerts", "--check", "--env", "dev"], env)).code).toBe(EXIT.ok);
  });

  test("--prune removes rules that the folder no longer has, and only ours", async () => {
    const { env, folder, rulesDir, running } = await openBed();
    folder.write("prometheus/gone.rules.yml", rulesFile("gone", { record: "gone", expr: "1" }));
    await runSync(["sync-alerts"], env);
    writeFileSync(join(rulesDir, "orchestrator-mine.rules.yml"), rulesFile("mine", { record: "mine", expr: "1" }));
    folder.remove("prometheus/gone.rules.yml");
    await runSync(["sync-alerts"], env);
    expect(await running()).toContain("gone");
    expect((await runSync(["sync-alerts", "--prune", "--check"], env)).code).toBe(EXIT.drift);
    expect(readdirSync(rulesDir)).toContain("orchestrator-gone.rules.yml");
    const { code, out } = await runSync(["sync-alerts", "--prune"], env);
    expect(code).toBe(EXIT.ok);
    expect(out).toMatch(/^pruned {5}rules orchestrator-gone\.rules\.yml$/m);
    expect([...(await running())].sort()).toEqual(["AlwaysThere", "job:up:sum", "mine"]);
  });

  test("a file of somebody else is not overwritten", async () => {
    const { env, rulesDir } = await openBed();
    const theirs = rulesFile("theirs", { record: "theirs", expr: "1" });
    writeFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), theirs);
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("orchestrator-alerts.rules.yml was not installed by this script");
    expect(readdirSync(rulesDir)).toEqual(["orchestrator-alerts.rules.yml"]);
    expect(readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8")).toBe(theirs);
  });

  test("a dry run writes no file and does not reload", async () => {
    const { env, folder, prometheus, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    folder.write("alerts.yaml", rulesFile("alerts", alertRule("Newer")));
    const before = readdirSync(rulesDir).map((name) => readFileSync(join(rulesDir, name), "utf8"));
    const proxy = await startHeldProxy(prometheus.url);
    proxy.cut("POST", "/-/reload");
    const { code, err, out } = await runSync(["--dry-run", "sync-service", "orchestrator"], {
      ...env,
      PROMETHEUS_URL: proxy.url,
    });
    expect({ code, err }).toEqual({ code: EXIT.ok, err: "" });
    expect(out).toMatch(/^-.*AlwaysThere/m);
    expect(out).toMatch(/^\+.*Newer/m);
    expect(out).toContain(`POST ${proxy.url}/-/reload`);
    expect(readdirSync(rulesDir).map((name) => readFileSync(join(rulesDir, name), "utf8"))).toEqual(before);
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
  });

  test("a connection that is cut at the reload leaves the former files, and the next run converges", async () => {
    const { env, folder, prometheus, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    folder.write("alerts.yaml", rulesFile("alerts", alertRule("Newer")));
    const proxy = await startHeldProxy(prometheus.url);
    proxy.cut("POST", "/-/reload");
    const cut = await runSync(["sync-alerts"], { ...env, PROMETHEUS_URL: proxy.url });
    expect(cut.code).toBe(EXIT.failed);
    expect(readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8")).toContain("AlwaysThere");
    proxy.release();
    expect((await runSync(["sync-alerts"], { ...env, PROMETHEUS_URL: proxy.url })).code).toBe(EXIT.ok);
    expect(await running()).toEqual(["Newer", "job:up:sum"]);
  });

  test.each([
    ["killed", "SIGKILL", "Newer"],
    ["interrupted", "SIGINT", "AlwaysThere"],
  ] as const)("a run that is %s before the reload is made up for by the next one", async (_, signal, left) => {
    const { env, folder, prometheus, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    folder.write("alerts.yaml", rulesFile("alerts", alertRule("Newer")));
    const proxy = await startHeldProxy(prometheus.url);
    const held = proxy.hold("POST", "/-/reload");
    const cut = await runSync(
      ["sync-alerts"],
      { ...env, PROMETHEUS_URL: proxy.url },
      {
        whileRunning: async (pid) => {
          await held;
          proxy.release();
          // The group, as a terminal does: bash acts on a signal when its child has ended.
          process.kill(-pid, signal);
        },
      },
    );
    expect(cut.code).not.toBe(EXIT.ok);
    expect(readFileSync(join(rulesDir, "orchestrator-alerts.rules.yml"), "utf8")).toContain(left);
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
    const next = await runSync(["sync-alerts"], env);
    expect(next).toMatchObject({ code: EXIT.ok, err: "" });
    expect(await running()).toEqual(["Newer", "job:up:sum"]);
  });

  test("rollback puts the former rules back, and Prometheus runs them", async () => {
    const { env, folder, rulesDir, running } = await openBed();
    await runSync(["sync-alerts"], env);
    folder.write("alerts.yaml", rulesFile("alerts", alertRule("Newer")));
    folder.write("prometheus/more.rules.yml", rulesFile("more", { record: "more", expr: "1" }));
    await runSync(["sync-alerts"], env);
    expect(await runSync(["rollback"], env)).toMatchObject({ code: EXIT.ok, err: "" });
    expect(await running()).toEqual(["AlwaysThere", "job:up:sum"]);
    expect(readdirSync(rulesDir)).not.toContain("orchestrator-more.rules.yml");
    expect((await runSync(["rollback"], env)).code).toBe(EXIT.ok);
    expect(readdirSync(rulesDir)).toEqual([]);
    expect(await running()).toEqual([]);
  });

  test("names with spaces, quotes, and $() are names", async () => {
    const { env, folder, rulesDir, running } = await openBed();
    const name = `it's "odd" $(touch pwned) \`x\` ; é`;
    folder.write(`prometheus/${name}.rules.yml`, rulesFile(name, { record: "odd", expr: "1" }));
    expect(await runSync(["sync-alerts"], env)).toMatchObject({ code: EXIT.ok, err: "" });
    expect(await running()).toContain("odd");
    expect((await runSync(["sync-alerts", "--check"], env)).code).toBe(EXIT.ok);
    expect(readdirSync(rulesDir)).toContain(`orchestrator-${name}.rules.yml`);
    expect((await runSync(["rollback"], env)).code).toBe(EXIT.ok);
    expect(readdirSync(rulesDir)).toEqual([]);
    expect(existsSync("pwned")).toBe(false);
  });

  test("without a folder to install to, rules are compared by name", async () => {
    const { env, rulesDir } = await openBed();
    const { PROMETHEUS_RULES_DIR: _, ...bare } = env;
    const missing = await runSync(["sync-alerts"], bare);
    expect(missing.code).toBe(EXIT.failed);
    expect(missing.err).toContain("Prometheus lacks AlwaysThere");
    expect((await runSync(["diff"], bare)).code).toBe(EXIT.drift);
    expect(readdirSync(rulesDir)).toEqual([]);
    await runSync(["sync-alerts"], env);
    expect(await runSync(["sync-alerts"], bare)).toMatchObject({ code: EXIT.ok, err: "" });
  });
});
