/** The workflow of forges calls what is there, on the versions that the package promises. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

interface Job {
  readonly needs?: string | readonly string[];
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
}

const { jobs } = parse(readFileSync(".github/workflows/ci.yml", "utf8")) as { jobs: Readonly<Record<string, Job>> };
const commands = Object.values(jobs).flatMap(({ steps }) =>
  steps.flatMap(({ run }) => (run === undefined ? [] : [run])),
);

test("scripts and targets exist", () => {
  const scripts = commands.flatMap((command) =>
    [...command.matchAll(/\bsh ([\w./-]+\.sh)/g)].map(([, path = ""]) => path),
  );
  expect(scripts.length).toBeGreaterThan(5);
  expect(scripts.filter((path) => !existsSync(path))).toEqual([]);
  const makefile = readFileSync("Makefile", "utf8");
  const targets = commands.flatMap((command) => [...command.matchAll(/^make ([a-z-]+)/g)].map(([, name = ""]) => name));
  expect(targets.filter((name) => !makefile.includes(`\n${name}: `))).toEqual([]);
});

test("jobs need jobs that exist, and a release needs all that judge", () => {
  for (const { needs = [] } of Object.values(jobs))
    for (const name of [needs].flat()) expect(Object.keys(jobs)).toContain(name);
  expect(jobs["release"]?.needs).toEqual(["test", "postgres", "image", "manifests"]);
});

test("the oldest Node that the package takes, and every PostgreSQL from 15 on, are tested", () => {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
  expect(jobs["test"]?.strategy?.matrix["node"]).toContain(engines.node.replace(">=", ""));
  expect(jobs["postgres"]?.strategy?.matrix["postgres"]).toEqual(["15", "16", "17", "18"]);
});

test("actions have versions", () => {
  const used = Object.values(jobs).flatMap(({ steps }) =>
    steps.flatMap(({ uses }) => (uses === undefined ? [] : [uses])),
  );
  for (const name of used) expect(name).toMatch(/@v\d+$/);
});
