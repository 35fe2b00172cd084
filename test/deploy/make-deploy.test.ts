/** `make deploy` with a kubectl that records its calls, as a cluster would see them. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

/** Keeps the words of every call, and the folder that is applied. `MISSING` is what the cluster does not have. */
const KUBECTL = `#!/bin/sh
printf '%s\\n' "$*" >>"$RECORD"
case "$*" in
  *apply*--kustomize*) for word; do folder=$word; done; cp "$folder/kustomization.yaml" "$RECORD.yaml" ;;
  *"config current-context"*) echo test-cluster ;;
esac
case "$*" in *"get \${MISSING:-nothing}"*) exit 1 ;; esac
`;

interface Deployed {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly string[];
  readonly images: unknown;
  readonly resources: unknown;
}

function makeDeploy(words: readonly string[], env: Readonly<Record<string, string>> = {}): Deployed {
  const folder = createTemporaryFolder();
  const record = join(folder, "calls");
  writeFileSync(join(folder, "kubectl"), KUBECTL, { mode: 0o755 });
  writeFileSync(record, "");
  writeFileSync(`${record}.yaml`, "{}");
  const { status, stdout, stderr } = spawnSync("make", ["--silent", "deploy", ...words], {
    cwd: "deploy",
    encoding: "utf8",
    env: { PATH: `${folder}:${process.env["PATH"]}`, HOME: folder, RECORD: record, ...env },
  });
  const { images, resources } = parse(readFileSync(`${record}.yaml`, "utf8"));
  const calls = readFileSync(record, "utf8").trim().split("\n");
  return { status, out: stdout, err: stderr, calls, images, resources };
}

test("prod gets the image that is named, and the command waits for the pods", () => {
  const { status, out, calls, images, resources } = makeDeploy(["ENV=prod", "IMAGE_TAG=v1.0.0"]);
  expect(status).toBe(0);
  expect(out).toContain("orchestrator:v1.0.0 to prod (namespace orchestrator, context test-cluster)");
  expect(images).toEqual([{ name: "orchestrator", newName: "orchestrator", newTag: "v1.0.0" }]);
  expect(resources).toEqual(["../../kubernetes/overlays/prod"]);
  expect(calls.slice(-2)).toEqual([
    "apply --kustomize .build/prod",
    "--namespace orchestrator rollout status deployment/orchestrator --timeout 10m",
  ]);
});

test("dev takes the commit", () => {
  const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).slice(0, 12);
  expect(makeDeploy(["ENV=dev"]).images).toEqual([{ name: "orchestrator", newName: "orchestrator", newTag: commit }]);
});

test("both vocabularies name environments", () => {
  const folderOf = (name: string) => makeDeploy([`ENV=${name}`, "IMAGE_TAG=v1.0.0"]).resources;
  expect(folderOf("production")).toEqual(folderOf("prod"));
  expect(folderOf("development")).toEqual(folderOf("dev"));
  expect(folderOf("staging")).toEqual(["../../kubernetes/overlays/staging"]);
});

test.each([
  [["ENV=prod"], "prod takes no image by chance"],
  [["ENV=production"], "prod takes no image by chance"],
  [["ENV=staging"], "staging takes no image by chance"],
  [["ENV=prod", "IMAGE_TAG=latest"], "latest is another image tomorrow"],
  [["ENV=prod", "IMAGE_TAG=v1 0"], "is no tag of an image"],
  [["ENV=qa", "IMAGE_TAG=v1.0.0"], "there is no environment qa"],
  [["IMAGE_TAG=v1.0.0"], "say where"],
])("%j is refused before anything is called", (words, problem) => {
  const { status, err, calls } = makeDeploy(words);
  expect(status).not.toBe(0);
  expect(err).toContain(problem);
  expect(calls).toEqual([""]);
});

test("another registry and context", () => {
  const { images, calls } = makeDeploy(["ENV=prod", "IMAGE_TAG=v1.0.0"], {
    IMAGE: "registry.example.com:5000/team/orchestrator",
    KUBE_CONTEXT: "eu",
  });
  expect(images).toMatchObject([{ newName: "registry.example.com:5000/team/orchestrator" }]);
  expect(calls.every((call) => call.startsWith("--context eu "))).toBe(true);
});

test("a cluster without the secret of the database is told how to make it; a missing namespace is made", () => {
  const without = makeDeploy(["ENV=prod", "IMAGE_TAG=v1.0.0"], { MISSING: "secret" });
  expect(without.status).not.toBe(0);
  expect(without.err).toContain(
    "create secret generic orchestrator-database --namespace=orchestrator --from-literal=url=",
  );
  expect(without.calls.join("\n")).not.toContain("apply");
  const fresh = makeDeploy(["ENV=dev"], { MISSING: "namespace" });
  expect(fresh.calls).toContain("create namespace orchestrator-dev");
  expect(fresh.status).toBe(0);
});
