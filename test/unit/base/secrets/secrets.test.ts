import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createSecrets } from "../../../../src/base/secrets/secrets.ts";
import { openLogger } from "../../../../src/telemetry/log/logger.ts";

async function openFolder(variables: Readonly<Record<string, string>> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "secrets-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  return { dir, secrets: createSecrets({ dir, variable: (name) => variables[name] }) };
}

test("a secret is the text of its file as it is now, without the last line break", async () => {
  const { dir, secrets } = await openFolder({ ORCHESTRATOR_SECRET_BILLING: "of the variable" });
  await writeFile(join(dir, "billing"), "first value\n");
  expect(await secrets.secretOf("billing")).toBe("first value");
  await writeFile(join(dir, "billing"), "second value");
  expect(await secrets.resolve("secret://billing")).toBe("second value");
});

test("a secret without a file is a variable", async () => {
  const { secrets } = await openFolder({ ORCHESTRATOR_SECRET_ACME_API_KEY: "k1" });
  expect(await secrets.resolve("secret://acme-api.key")).toBe("k1");
  expect(await secrets.resolve("plain")).toBe("plain");
});

test("a secret that is missing, empty, or unreadable is one error that names it and the cure", async () => {
  const { dir, secrets } = await openFolder();
  await expect(secrets.secretOf("billing")).rejects.toMatchObject({
    code: "SECRET_NOT_FOUND",
    message: `there is no secret billing: put it into the file billing in the folder ${dir}, or into ORCHESTRATOR_SECRET_BILLING`,
  });
  await writeFile(join(dir, "empty"), "\n");
  await expect(secrets.secretOf("empty")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  await mkdir(join(dir, "folder"));
  await expect(secrets.secretOf("folder")).rejects.toThrow(/cannot be read/);
  await writeFile(join(dir, "large"), "x".repeat(65_537));
  await expect(secrets.secretOf("large")).rejects.toThrow(/more than 65536 bytes/);
  const none = createSecrets({ variable: () => undefined });
  await expect(none.secretOf("billing")).rejects.toThrow(/secrets\.dir/);
});

test("a name does not leave the folder", async () => {
  const { dir, secrets } = await openFolder();
  await writeFile(join(dir, "inside"), "inside");
  await mkdir(join(dir, "sub"));
  const below = createSecrets({ dir: join(dir, "sub"), variable: () => undefined });
  await expect(below.secretOf("../inside")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  expect(await secrets.resolve("secret://../inside")).toBe("secret://../inside");
});

test("what was read once stands in no line of the log, and neither does a part of it", async () => {
  const { secrets } = await openFolder({
    ORCHESTRATOR_SECRET_A: 'quoted "and" long',
    ORCHESTRATOR_SECRET_B: "whsec_Zm9vYmFyYmF6 older-secret",
    ORCHESTRATOR_SECRET_C: "short",
  });
  for (const name of ["a", "b", "c"]) await secrets.secretOf(name);
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = await openLogger({ level: "info", format: "json", destination, redact: secrets.redact });
  log.info('said quoted "and" long', {
    url: "https://x/?k=Zm9vYmFyYmF6",
    error: new Error("not older-secret"),
    c: "short",
  });
  expect(lines.join("")).not.toMatch(/and.{0,4} long|Zm9vYmFyYmF6|older-secret/);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ message: "said [redacted]", c: "short" });
});
