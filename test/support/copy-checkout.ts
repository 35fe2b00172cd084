import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { TEMPLATES } from "../../scripts/generate-digest.ts";
import { ROOT } from "../clients/programs.ts";

const NAMES = [
  "buf.yaml",
  "clients",
  "contracts",
  "internal",
  "third_party",
  "gen",
  "scripts",
  "tools",
  "package.json",
  "src/gen",
  "src/base",
  "src/api/legacy",
  "src/api/requests",
];

/** Copy of what the generator reads and writes, and of `more`, with this checkout's tools; removed after the test. */
export function copyCheckout(more: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "generated-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of [...NAMES, ...TEMPLATES, ...more])
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of ["node_modules", ".node", ".tools"])
    if (existsSync(join(ROOT, name))) symlinkSync(join(ROOT, name), join(folder, name));
  return folder;
}
