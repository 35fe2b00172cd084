import { expect, test } from "vitest";
import { explainOldNode, NEEDED_NODE } from "../../../../src/base/process/node-version.ts";

test.each(["18.0.0", "20.20.2", "24.0.0", "24.14.0", "9.99.99"])("Node %s is told what is needed", (version) => {
  expect(explainOldNode(version)).toBe(
    `error: this is Node ${version}, and orchestrator needs Node ${NEEDED_NODE} or newer`,
  );
});

test.each([NEEDED_NODE, "24.14.2", "24.15.0", "26.0.0", "100.0.0", "25.0.0-nightly2026"])(
  "Node %s is new enough",
  (version) => {
    expect(explainOldNode(version)).toBeNull();
  },
);
