/** The script that builds the image, with programs that record their calls. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readVersion } from "../../src/base/version.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

/** A daemon that answers, or not: `DOWN`. */
const DOCKER = `#!/bin/sh
printf 'docker %s\\n' "$*" >>"$RECORD"
case "$*" in
  info) [ -z "\${DOWN:-}" ] ;;
  "buildx build"*) echo building; [ -z "\${BROKEN:-}" ] ;;
  "image inspect"*) echo sha256:d0c ;;
esac
`;

const BUILDAH = `#!/bin/sh
printf 'buildah %s\\n' "$*" >>"$RECORD"
case "$*" in inspect*) echo b01 ;; esac
`;

function build(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const folder = createTemporaryFolder();
  const record = join(folder, "calls");
  writeFileSync(join(folder, "docker"), DOCKER, { mode: 0o755 });
  writeFileSync(join(folder, "buildah"), BUILDAH, { mode: 0o755 });
  writeFileSync(record, "");
  const { status, stdout, stderr } = spawnSync("sh", ["deploy/image/build.sh", ...words], {
    encoding: "utf8",
    env: { PATH: `${folder}:${process.env["PATH"]}`, HOME: folder, RECORD: record, ...env },
  });
  return { status, out: stdout, err: stderr, calls: readFileSync(record, "utf8").trim().split("\n") };
}

const git = (...words: string[]): string => execFileSync("git", words, { encoding: "utf8" }).trim();
const COMMIT = git("rev-parse", "HEAD");
const EPOCH = git("log", "-1", "--format=%ct");
const CREATED = new Date(Number(EPOCH) * 1_000).toISOString().replace(".000Z", "Z");

test("Docker builds the commit with the times of the commit, and only tag and id are printed", () => {
  const { status, out, calls } = build([]);
  expect([status, out]).toEqual([0, `orchestrator:${COMMIT.slice(0, 12)} sha256:d0c\n`]);
  expect(calls).toEqual([
    "docker info",
    `docker buildx build --file Dockerfile --target full --tag orchestrator:${COMMIT.slice(0, 12)} ` +
      `--build-arg VERSION=${readVersion()} --build-arg REVISION=${COMMIT} --build-arg CREATED=${CREATED} ` +
      `--build-arg SOURCE_DATE_EPOCH=${EPOCH} --output type=docker,rewrite-timestamp=true .`,
    `docker image inspect --format {{.Id}} orchestrator:${COMMIT.slice(0, 12)}`,
  ]);
});

test("bases, certificates, an archive, and another version reach Docker", () => {
  const { calls } = build(["--target", "slim", "--tag", "registry.example.com/team/o:1", "--output", "o.tar"], {
    ...{ BASE: "debian@sha256:1", BUILDER: "node@sha256:2", CA: "/etc/ca.pem", VERSION: "9.9.9", REVISION: "abc" },
    SOURCE_DATE_EPOCH: "0",
  });
  const [, built = "", saved] = calls;
  for (const part of [
    ...["--target slim", "--tag registry.example.com/team/o:1", "BASE=debian@sha256:1", "BUILDER=node@sha256:2"],
    ...["--secret id=ca,src=/etc/ca.pem", "VERSION=9.9.9", "REVISION=abc", "CREATED=1970-01-01T00:00:00Z"],
  ])
    expect(built).toContain(part);
  expect(saved).toBe("docker save --output o.tar registry.example.com/team/o:1");
});

test("without a daemon buildah builds, and says the same", () => {
  const { out, calls } = build(["--target", "slim", "--output", "o.tar"], { DOWN: "1" });
  const tag = `orchestrator:${COMMIT.slice(0, 12)}-slim`;
  expect(out).toBe(`${tag} sha256:b01\n`);
  expect(calls[1]).toMatch(new RegExp(`^buildah bud .*--format docker --isolation chroot --timestamp ${EPOCH} \\.$`));
  expect(calls[2]).toBe(`buildah push --quiet ${tag} docker-archive:o.tar:${tag}`);
});

test.each([
  [["--target", "big"], {}, "there is no target big", 2],
  [["--size"], {}, "--target full|slim", 2],
  [[], { ENGINE: "kaniko" }, "there is no engine kaniko", 2],
  [[], { BROKEN: "1" }, "building", 1],
])("%j with %j ends without a tag", (words, env, problem, code) => {
  const { status, out, err } = build(words, env);
  expect([status, out]).toEqual([code, ""]);
  expect(err).toContain(problem);
});
