import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ADR = readFileSync("docs/adr/0013-package-names.md", "utf8");

/** The first name in code that the table of the decision gives for something. */
function decided(what: string): string {
  const row = ADR.split("\n").find((line) => line.startsWith(`| ${what} |`));
  return /`([^`]+)`/.exec(row ?? "")?.[1] ?? expect.unreachable(`docs/adr/0013 says nothing of ${what}`);
}

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));

// Cause: package.json had another name, and was private, so that npm would have refused to publish it.
test("the packages have the names that were decided, and can be published", () => {
  const service = readJson("package.json");
  const typescript = readJson("gen/typescript/package.json");
  const python = /^name = "(.+)"$/m.exec(readFileSync("gen/python/pyproject.toml", "utf8"))?.[1];
  const go = /^module (.+)$/m.exec(readFileSync("gen/go/go.mod", "utf8"))?.[1];
  expect({ service: service.name, typescript: typescript.name, python, go }).toEqual({
    service: decided("service on npm"),
    typescript: decided("TypeScript client on npm"),
    python: decided("Python client on PyPI"),
    go: decided("Go module"),
  });
  for (const manifest of [service, typescript]) expect(manifest).not.toHaveProperty("private");
  expect(service.bin).toEqual({ orchestrator: "./dist/main.js" });
  const lock = readJson("package-lock.json");
  expect([lock.name, lock.packages[""].name]).toEqual([service.name, service.name]);
});

test("the service and its clients have one version", () => {
  const { version } = readJson("package.json");
  expect(readJson("package-lock.json").version).toBe(version);
  expect(readJson("gen/typescript/package.json").version).toBe(version);
  expect(readFileSync("gen/python/pyproject.toml", "utf8")).toContain(`\nversion = "${version}"\n`);
  // Workers tell the service their library.
  expect(readFileSync("clients/typescript/worker/worker.ts", "utf8")).toContain(`"typescript/${version}"`);
  expect(readFileSync("clients/python/worker/_worker.py", "utf8")).toContain(`"python/${version}"`);
  expect(readFileSync("clients/go/worker/poll.go", "utf8")).toContain(`"go/${version}"`);
});
