import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** A new empty folder that is removed when the test ends. */
export function createTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new empty folder that is removed when the file or the `describe` that calls this is done. */
export function createFileFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
