/** `contracts/*.proto`: other paths to the contract, which declare nothing of their own. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CONTRACT_FILES, ROOT, SERVICES } from "./descriptors.ts";

/** The folder of the contract that each of them stands for. */
const FOLDERS = {
  "health.proto": "orchestrator/health/v1/",
  "info.proto": "orchestrator/info/v1/",
  "orchestrator.proto": "orchestrator/v1/",
} as const;

const read = (name: string): string => readFileSync(`${ROOT}contracts/${name}`, "utf8");

test("there is one for each folder that holds services, and no more", () => {
  expect(globSync("*.proto", { cwd: `${ROOT}contracts` }).sort()).toEqual(Object.keys(FOLDERS));
  const served = new Set(SERVICES.map(({ file }) => `${file.name.split("/").slice(0, -1).join("/")}/`));
  expect([...served].sort()).toEqual(Object.values(FOLDERS));
});

test.each(Object.entries(FOLDERS))("%s imports every file of %s publicly, and declares nothing", (name, folder) => {
  const lines = read(name)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("//"));
  const files = CONTRACT_FILES.filter((file) => file.startsWith(folder));
  expect(files.length).toBeGreaterThan(0);
  expect(lines).toEqual([
    'syntax = "proto3";',
    ...files.map((file) => `import public "${file}";`),
    'option go_package = "orchestrator.internal/client/contracts;contracts";',
  ]);
});

test.each(Object.keys(FOLDERS))("a compiler that is given %s alone finds the services", (name) => {
  const { status, stdout, stderr } = spawnSync(
    `${ROOT}node_modules/.bin/buf`,
    ["build", "contracts", "--path", `contracts/${name}`, "--exclude-source-info", "-o", "-#format=json"],
    { cwd: ROOT, encoding: "utf8", maxBuffer: 2 ** 26 },
  );
  expect([status, stderr]).toEqual([0, ""]);
  const { file } = JSON.parse(stdout) as { file: { name: string; package?: string; service?: { name: string }[] }[] };
  const found = file.flatMap(({ package: space, service = [] }) => service.map((one) => `${space}.${one.name}`));
  const folder = FOLDERS[name as keyof typeof FOLDERS];
  const wanted = SERVICES.filter((service) => service.file.name.startsWith(folder.slice(0, -1)));
  expect(found.sort()).toEqual(wanted.map(({ typeName }) => typeName).sort());
});
