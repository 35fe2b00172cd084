import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestPart, listFiles, PARTS, readDigests } from "../../scripts/generate-digest.ts";
import { copyCheckout } from "../support/copy-checkout.ts";
import { ROOT } from "./descriptors.ts";

const inCi = (process.env.CI ?? "") !== "";

/** Runs the generator in the checkout `root`, without changing anything. */
function checkParts(root: string, parts: readonly string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/generate.ts", "--check", ...parts], {
    cwd: root,
    encoding: "utf8",
  });
  return { code: status, text: stdout + stderr };
}

describe.each(PARTS.map((part) => [part.name, part] as const))("%s", (name, part) => {
  test("was generated from these contracts and not touched since", () => {
    expect(digestPart(ROOT, part)).toBe(readDigests(ROOT).get(name));
  });

  test("is written to at least one file", () => {
    expect(part.outputs.filter((path) => listFiles(ROOT, path).length === 0)).toEqual([]);
  });

  test("is what its generator makes", { timeout: 300_000 }, ({ skip }) => {
    const { code, text } = checkParts(ROOT, [name]);
    const lack = /: skipped, (.*)/.exec(text)?.[1];
    if (lack !== undefined && !inCi) skip(lack);
    expect(text).toMatch(new RegExp(`^${name}: fresh$`, "m"));
    expect(code).toBe(0);
  });
});

test("a changed contract, a changed result and a lost file change the digest", () => {
  const folder = copyCheckout();
  const [server] = PARTS;
  if (server === undefined) throw new Error("no parts");
  const before = digestPart(folder, server);
  expect(before).toBe(readDigests(folder).get(server.name));
  const changes: readonly (readonly [string, (text: string) => string])[] = [
    ["contracts/orchestrator/v1/run.proto", (text) => `${text}\n`],
    ["src/gen/orchestrator/v1/run_pb.ts", (text) => `${text}\n`],
    ["buf.gen.yaml", (text) => text.replace("erasable_syntax=true", "erasable_syntax=false")],
    ["buf.gen.third-party.yaml", (text) => text.replace("third_party/buf", "third_party/grpc")],
  ];
  for (const [file, change] of changes) {
    const text = readFileSync(join(folder, file), "utf8");
    writeFileSync(join(folder, file), change(text));
    expect(digestPart(folder, server), file).not.toBe(before);
    writeFileSync(join(folder, file), text);
    expect(digestPart(folder, server), file).toBe(before);
  }
  rmSync(join(folder, "src/gen/orchestrator/v1/template_pb.ts"));
  expect(digestPart(folder, server)).not.toBe(before);
});

test("the generator names files that differ from what it makes", { timeout: 300_000 }, () => {
  const folder = copyCheckout();
  writeFileSync(join(folder, "gen/typescript/connect/v1.js"), "export {};\n");
  writeFileSync(join(folder, "gen/typescript/grpcweb/stray.js"), "export {};\n");
  const { code, text } = checkParts(folder, ["typescript"]);
  expect(code).toBe(1);
  expect(text).toContain("gen/typescript/connect/v1.js");
  expect(text).toContain("gen/typescript/grpcweb/stray.js");
});

test("the clients need no validation rules, routes or options of ours", () => {
  const files = listFiles(ROOT, "gen").filter((file) => /\.(go|py|pyi|js|ts)$/.test(file));
  expect(files.length).toBeGreaterThan(100);
  const strays = files.filter((file) =>
    /buf.validate|google.api\b|orchestrator.options/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  expect(strays).toEqual([]);
});

test("the Python client imports its own modules from its own package", () => {
  const files = listFiles(ROOT, "gen/python/orchestrator_client").filter((file) => /\.pyi?$/.test(file));
  const imports = files.flatMap((file) => readFileSync(join(ROOT, file), "utf8").match(/^(from|import) \S+/gm) ?? []);
  expect(imports).toContain("from orchestrator_client.v1");
  expect(imports.filter((line) => /^(from|import) orchestrator(\.|$)/.test(line))).toEqual([]);
});
