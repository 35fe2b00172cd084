/** deploy/compose.yaml: read by a program that runs such files, and hardened like the manifests. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { DRAIN_S } from "../../deploy/src/objects/names.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { findTool, run } from "../support/deploy-tools.ts";
import { cleanEnvironment } from "../support/serve-process.ts";

const { services, volumes } = parse(readFileSync("deploy/compose.yaml", "utf8"), { merge: true });
const ours = ["orchestrator-1", "orchestrator-2"].map((name) => services[name]);

test("every image has a version, and every port is of this machine", () => {
  for (const [name, { image, ports = [] }] of Object.entries<{ image: string; ports?: string[] }>(services)) {
    expect(image, name).toMatch(/:(?!latest$)[^:]+$/);
    for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
  }
});

test("the service runs read-only, without capabilities, within limits, and has the time to stop", () => {
  for (const service of ours) {
    expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
    expect(service.mem_limit).toBeTruthy();
    expect(Number.parseInt(service.stop_grace_period, 10)).toBeGreaterThan(DRAIN_S);
  }
});

test("what is mounted exists", () => {
  const mounted = Object.values<{ volumes?: string[] }>(services).flatMap((service) => service.volumes ?? []);
  for (const source of mounted.map((one) => one.split(":")[0] ?? ""))
    expect(source.startsWith(".") ? existsSync(join("deploy", source)) : source in volumes, source).toBe(true);
});

test("the service takes the variables", async () => {
  const env = { ...cleanEnvironment(), ...ours[0].environment, DATABASE_URL: "postgresql://user@host:5432/name" };
  const printed = await run(process.execPath, ["src/main.ts", "config", "print"], env);
  for (const name of Object.keys(ours[0].environment)) expect(printed).toContain(`from ${name}`);
});

test("promtool takes the configuration of Prometheus", async () => {
  const promtool = findTool("promtool");
  if (promtool === null) return console.log("skipped: deploy/compose/prometheus.yml, because promtool is missing");
  const checked = await run(promtool, ["check", "config", "--syntax-only", "deploy/compose/prometheus.yml"]);
  expect(checked).toContain("SUCCESS");
});

test.skipIf(PYTHON_MISSING)("podman-compose reads it", { timeout: 240_000 }, async () => {
  const python = await preparePackages("podman-compose", ["podman-compose==1.6.0"]);
  const words = ["-m", "podman_compose", "--file", "deploy/compose.yaml", "--profile", "monitoring", "config"];
  const read = Object.keys(parse(await run(python, words)).services);
  expect(read.toSorted()).toEqual(Object.keys(services).toSorted());
});
