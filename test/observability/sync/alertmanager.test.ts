/** The configuration to a real Alertmanager: checked before, verified after, taken back when it does not run it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Alertmanager, startAlertmanager } from "../../support/monitoring/alertmanager.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { createSyncFolder, EXIT, runSync, STACK_MISSING, type SyncFolder } from "./run-sync.ts";

interface Bed {
  readonly folder: SyncFolder;
  readonly configDir: string;
  readonly alertmanager: Alertmanager;
  readonly env: Record<string, string>;
}

/** A configuration with one receiver, whose secret Alertmanager does not show. */
function configuration(receiver: string, more: object = {}): string {
  const webhook = { url: "http://127.0.0.1:9/hook", http_config: { authorization: { credentials: "s3cret" } } };
  return stringify({ route: { receiver }, receivers: [{ name: receiver, webhook_configs: [webhook] }], ...more });
}

async function openBed(): Promise<Bed> {
  const folder = createSyncFolder();
  const configDir = createTemporaryFolder();
  const env = {
    OBSERVABILITY_DIR: folder.path,
    SYNC_STATE_DIR: createTemporaryFolder(),
    ENVIRONMENT: "staging",
    ALERTMANAGER_CONFIG_DIR: configDir,
  };
  folder.write("alertmanager/alertmanager.yml", configuration("first"));
  const file = join(configDir, "alertmanager.yml");
  copyFileSync(join(folder.path, "alertmanager/alertmanager.yml"), file);
  const alertmanager = await startAlertmanager({ configFile: file });
  return { folder, configDir, alertmanager, env: { ...env, ALERTMANAGER_URL: alertmanager.url } };
}

/** What the operator does to hand the file over. */
function handOver({ configDir }: Bed): void {
  const file = join(configDir, "alertmanager.yml");
  const line = "# Installed by sync-observability.sh from its source: change that.\n";
  writeFileSync(file, `${readFileSync(file, "utf8")}${line}`);
}

describe.skipIf(STACK_MISSING)("the configuration to Alertmanager", () => {
  test("a configuration with templates runs after a sync, and a second one has nothing to do", async () => {
    const bed = await openBed();
    const { folder, env, alertmanager, configDir } = bed;
    handOver(bed);
    folder.write("alertmanager/alertmanager.yml", configuration("second", { templates: ["templates/*.tmpl"] }));
    folder.write("alertmanager/templates/a b.tmpl", '{{ define "where" }}here{{ end }}\n');
    const first = await runSync(["sync-alerts"], env);
    expect(first).toMatchObject({ code: EXIT.ok, err: "" });
    expect(first.out).toMatch(/^1 created, 1 updated$/m);
    expect(await alertmanager.configuration()).toContain("receiver: second");
    expect(readdirSync(join(configDir, "templates"))).toEqual(["a b.tmpl"]);
    const second = await runSync(["sync-alerts", "--check"], env);
    expect(second).toMatchObject({ code: EXIT.ok, err: "" });
    expect(second.out).toMatch(/^2 unchanged/m);
  });

  test("a configuration of somebody else is not replaced", async () => {
    const { folder, env, configDir } = await openBed();
    folder.write("alertmanager/alertmanager.yml", configuration("second"));
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`${configDir}/alertmanager.yml was not installed by this script`);
    expect(readFileSync(join(configDir, "alertmanager.yml"), "utf8")).toContain("first");
  });

  test("a broken configuration is named, and the old one stays", async () => {
    const bed = await openBed();
    handOver(bed);
    bed.folder.write("alertmanager/alertmanager.yml", stringify({ route: { receiver: "nobody" }, receivers: [] }));
    const { code, err } = await runSync(["sync-alerts"], bed.env);
    expect(code).toBe(EXIT.validation);
    expect(err).toContain("alertmanager/alertmanager.yml: ");
    expect(readFileSync(join(bed.configDir, "alertmanager.yml"), "utf8")).toContain("first");
  });

  test("a configuration that Alertmanager refuses is taken back", async () => {
    const bed = await openBed();
    const { folder, env, alertmanager, configDir } = bed;
    handOver(bed);
    // Relative to the folder of the source, amtool finds the template; it is not one that is installed.
    folder.write("alertmanager/more/broken.tmpl", '{{ define "where" }}here{{ end }}\n');
    folder.write("alertmanager/alertmanager.yml", configuration("second", { templates: ["more/*.tmpl"] }));
    const more = join(configDir, "more");
    mkdirSync(more);
    writeFileSync(join(more, "foreign.tmpl"), "{{ define");
    const { code, err } = await runSync(["sync-alerts"], env);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain(`Alertmanager refused ${configDir}/alertmanager.yml`);
    expect(err).toContain("Alertmanager runs it");
    expect(readFileSync(join(configDir, "alertmanager.yml"), "utf8")).toContain("first");
    expect(await alertmanager.configuration()).toContain("receiver: first");
  });

  test("without a folder to install to, the configuration that runs is compared", async () => {
    const { folder, env } = await openBed();
    const { ALERTMANAGER_CONFIG_DIR: _, ...bare } = env;
    expect(await runSync(["sync-alerts"], bare)).toMatchObject({ code: EXIT.ok, err: "" });
    folder.write("alertmanager/alertmanager.yml", configuration("second"));
    const { code, err } = await runSync(["sync-alerts"], bare);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain("set ALERTMANAGER_CONFIG_DIR");
    expect((await runSync(["diff"], bare)).code).toBe(EXIT.drift);
  });

  test("the example is installed in development only", async () => {
    const bed = await openBed();
    const { folder, env, configDir } = bed;
    handOver(bed);
    folder.remove("alertmanager/alertmanager.yml");
    folder.write("alertmanager/alertmanager.example.yml", configuration("example"));
    const elsewhere = await runSync(["sync-alerts"], env);
    expect(elsewhere).toMatchObject({ code: EXIT.ok, err: "" });
    expect(elsewhere.out).toContain("the example is installed in development only");
    expect(readFileSync(join(configDir, "alertmanager.yml"), "utf8")).toContain("first");
    expect(await runSync(["sync-alerts", "--env", "dev"], env)).toMatchObject({ code: EXIT.ok, err: "" });
    expect(readFileSync(join(configDir, "alertmanager.yml"), "utf8")).toContain("example");
  });

  test("rollback puts the former configuration back, and Alertmanager runs it", async () => {
    const bed = await openBed();
    const { folder, env, alertmanager } = bed;
    handOver(bed);
    folder.write("alertmanager/alertmanager.yml", configuration("second"));
    await runSync(["sync-alerts"], env);
    expect(await runSync(["rollback"], env)).toMatchObject({ code: EXIT.ok, err: "" });
    expect(await alertmanager.configuration()).toContain("receiver: first");
  });
});
