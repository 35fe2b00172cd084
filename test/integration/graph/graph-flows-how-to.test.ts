/** docs/how-to/graph-flows.md, executed: its configuration, its module, and its flow. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommand } from "../../support/run-command.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const text = readFileSync("docs/how-to/graph-flows.md", "utf8");
const blocksOf = (language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the page's graph asks, and publishes what was approved, in both of its versions", {
  timeout: 120_000,
}, async () => {
  const folder = createTemporaryFolder();
  mkdirSync(join(folder, "graphs"));
  const [one = "", flow = "", , two = ""] = blocksOf("yaml");
  const [module = "", version = ""] = blocksOf("ts");
  writeFileSync(join(folder, "graphs/review.ts"), module);
  writeFileSync(join(folder, "graphs/review-1.ts"), module);
  writeFileSync(join(folder, "graphs/review-2.ts"), `${module}${version}`);
  writeFileSync(join(folder, "one.yaml"), one);
  writeFileSync(join(folder, "two.yaml"), two);
  writeFileSync(join(folder, "flow.yaml"), flow);
  const publish = async (config: string, answer: string): Promise<unknown> => {
    const local = ["flow.yaml", "--local", "--config", config, "--input", "text=hello", "--approvals", answer];
    const { code, out, err } = await runCommand(["run", ...local], folder, {});
    expect(code, err).toBe(0);
    return JSON.parse(out);
  };
  expect(await publish("one.yaml", "approve")).toEqual({ text: "hello", published: true });
  expect(await publish("two.yaml", "reject")).toEqual({ text: "hello", published: false });
});
