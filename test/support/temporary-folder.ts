import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** Creates an empty folder that is removed at the end of the test. */
export function createTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Creates an empty folder that is removed at the end of the calling file or `describe`. */
export function createFileFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
