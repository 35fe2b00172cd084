/** The objects of every environment are what the policy of a cluster would let pass. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { coreObjects, monitoringObjects } from "../../deploy/src/objects/index.ts";
import { DRAIN_S, GRACE_S, LEAVE_S } from "../../deploy/src/objects/names.ts";
import { ABOUT, DEFAULTS, ENVIRONMENTS, type Part, type Values } from "../../deploy/src/values.ts";
import { listSettings } from "../../src/config/settings.ts";
import { run } from "../support/deploy-tools.ts";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes are read here as they come
type Loose = any;

const ALL: readonly (readonly [string, Values])[] = [["defaults", DEFAULTS], ...Object.entries(ENVIRONMENTS)];
const SHARDS = Number(listSettings().find(({ path }) => path === "engine.shards")?.default);

test("every value has a comment", () => {
  const names = (sections: object): readonly string[] =>
    Object.entries(sections).flatMap(([section, settings]) =>
      Object.keys(settings).map((name) => `${section}.${name}`),
    );
  expect(names(DEFAULTS)).toEqual(names(ABOUT));
  for (const [, values] of ALL) expect(names(values).toSorted()).toEqual(names(ABOUT).toSorted());
});

for (const [name, values] of ALL) {
  const tagged = { ...values, image: { ...values.image, tag: "1.0.0" } };
  const objects: Readonly<Record<string, Loose>> = coreObjects("orchestrator", tagged, {});
  const { template } = objects["deployment"].spec;
  const pod = template.spec;

  test(`${name}: no pod runs as root, writes to its image, or has rights that it does not need`, () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(pod.securityContext.runAsUser).toBeGreaterThan(9_999);
    expect(pod.automountServiceAccountToken).toBe(false);
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) expect(pod).not.toHaveProperty(key);
    expect(pod.volumes.filter((volume: Loose) => "hostPath" in volume)).toEqual([]);
    for (const { securityContext } of pod.containers)
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
  });

  test(`${name}: requests and limits are set, and the image has a version`, () => {
    for (const { resources, image } of pod.containers) {
      for (const kind of ["requests", "limits"]) {
        for (const resource of ["cpu", "memory"])
          expect(resources[kind][resource], `${kind} of ${resource}`).toBeTruthy();
      }
      expect(image).toMatch(/^[^:]+:(?!latest$).+/);
    }
    for (const volume of pod.volumes) if (volume.emptyDir) expect(volume.emptyDir.sizeLimit).toBeTruthy();
  });

  test(`${name}: secrets come by reference`, () => {
    const plain = pod.containers.flatMap(({ env }: Loose) => env.filter((one: Loose) => "value" in one));
    expect(plain.map((one: Loose) => one.name)).toEqual(["ORCHESTRATOR_SECRETS_DIR"]);
    expect(JSON.stringify(objects)).not.toMatch(/postgres(ql)?:\/\/|redis:\/\//);
  });

  test(`${name}: a stop has the time that it takes`, () => {
    const drain = listSettings().find(({ path }) => path === "server.drain_timeout")?.default;
    expect(drain).toBe(`${DRAIN_S}s`);
    expect(parse(values.config.text).server?.drain_timeout).toBeUndefined();
    expect(pod.terminationGracePeriodSeconds).toBe(GRACE_S);
    expect(GRACE_S).toBeGreaterThan(DRAIN_S + LEAVE_S);
    expect(pod.containers[0].lifecycle.preStop.sleep.seconds).toBe(LEAVE_S);
    expect(objects["deployment"].spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  });

  test(`${name}: probes ask for life and readiness apart`, () => {
    const [{ livenessProbe, readinessProbe, startupProbe }] = pod.containers;
    expect([startupProbe, livenessProbe, readinessProbe].map((probe) => probe.httpGet.path)).toEqual([
      "/healthz",
      "/healthz",
      "/readyz",
    ]);
  });

  test(`${name}: the autoscaler keeps four shards a pod, and takes one pod away in five minutes`, () => {
    const { minReplicas, maxReplicas, behavior, scaleTargetRef } = objects["horizontal-pod-autoscaler"].spec;
    expect(maxReplicas).toBeLessThanOrEqual(SHARDS / 4);
    expect(minReplicas).toBeLessThanOrEqual(maxReplicas);
    expect(behavior.scaleDown.policies).toEqual([{ type: "Pods", value: 1, periodSeconds: 300 }]);
    expect(scaleTargetRef.name).toBe(objects["deployment"].metadata.name);
    expect(objects["deployment"].spec).not.toHaveProperty("replicas");
  });

  test(`${name}: selectors find the pods, and ports have the names that are asked for`, () => {
    const { labels } = template.metadata;
    const selectors = [
      objects["deployment"].spec.selector.matchLabels,
      objects["service"].spec.selector,
      objects["pod-disruption-budget"].spec.selector.matchLabels,
      objects["network-policy"].spec.podSelector.matchLabels,
      objects["network-policy-basics"].spec.podSelector.matchLabels,
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const ports = pod.containers[0].ports.map((port: Loose) => port.name);
    for (const { targetPort } of objects["service"].spec.ports) expect(ports).toContain(targetPort);
    const monitor: Loose = monitoringObjects("orchestrator", tagged)["service-monitor"];
    expect(objects["service"].metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
    expect(objects["service"].metadata.labels[monitor.spec.jobLabel]).toBe("orchestrator");
  });

  test(`${name}: the service takes the configuration and the variables`, async () => {
    const folder = createTemporaryFolder();
    const file = join(folder, "orchestrator.yaml");
    writeFileSync(file, values.config.text);
    const env = Object.fromEntries(
      pod.containers[0].env.map((one: Part) => [one["name"], one["value"] ?? "postgresql://user@host:5432/name"]),
    );
    delete env["REDIS_URL"];
    // An optional Secret that is missing is mounted as an empty folder.
    env["ORCHESTRATOR_SECRETS_DIR"] = folder;
    await expect(
      run(process.execPath, ["src/main.ts", "config", "check", "--config", file], { ...cleanEnvironment(), ...env }),
    ).resolves.toBeDefined();
  });
}

test("alerts and rules of observability are those of the PrometheusRule", () => {
  const rule: Loose = monitoringObjects("orchestrator", DEFAULTS)["prometheus-rule"];
  const { groups } = parse(readFileSync("observability/alerts.yaml", "utf8"));
  expect(rule.spec.groups).toEqual(expect.arrayContaining(groups));
});
