import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take minutes, the longest first. Begun last, one of them would keep everybody waiting. */
const SLOW = [
  "test/image/",
  "test/crash/campaign",
  "test/crash/",
  "test/judges/",
  "test/clients/",
  "test/package/",
  "test/integration/",
];

/** Begins the slow suites first, whatever vitest remembers of an earlier run. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = SLOW.findIndex((folder) => moduleId.includes(`/${folder}`));
  return place < 0 ? SLOW.length : place;
}
