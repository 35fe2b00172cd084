/** Completion in real shells. A shell that the machine lacks is a printed skip, in CI a failure. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Shell } from "../../src/app/completion-script.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

function has(shell: Shell): boolean {
  if (spawnSync(shell, ["-c", "true"], { stdio: "ignore" }).status === 0) return true;
  if (process.env.CI) throw new Error(`${shell} is missing, and CI skips nothing`);
  console.log(`skipped: completion for ${shell}, because ${shell} is missing`);
  return false;
}

/** How each shell is asked what it would offer for a line; where files may follow it says FILES. */
const ASK: Readonly<Record<Shell, (script: string, words: readonly string[]) => readonly string[]>> = {
  bash: (script, words) => [
    "-c",
    `. ${script}; COMP_WORDS=(orchestrator "$@"); COMP_CWORD=$#; _orchestrator; printf '%s\\n' "\${COMPREPLY[@]}"`,
    "bash",
    ...words,
  ],
  zsh: (script, words) => [
    "-fc",
    `compdef() { :; }; compadd() { shift; print -l -- $@ }; _files() { print FILES }
. ${script}; words=(orchestrator "$@"); CURRENT=$#words; _orchestrator`,
    "zsh",
    ...words,
  ],
  fish: (script, words) => ["-c", `source ${script}; complete -C 'orchestrator ${words.join(" ")}'`],
};

describe.each(["bash", "zsh", "fish"] as const)("completion for %s", (shell) => {
  test.skipIf(!has(shell))(
    "knows commands, options and the values that they take, and files where one may stand",
    () => {
      const folder = createTemporaryFolder();
      const script = join(folder, "script");
      const { stdout } = spawnSync(process.execPath, ["src/main.ts", "completion", shell], { encoding: "utf8" });
      writeFileSync(script, stdout);
      const offers = (...words: string[]): readonly string[] => {
        const { stdout: said, stderr } = spawnSync(shell, ASK[shell](script, words), { cwd: folder, encoding: "utf8" });
        expect(stderr).toBe("");
        // fish adds a summary; zsh leaves it to its own part to compare with what was typed.
        const found = said.split("\n").map((line) => line.split("\t")[0] ?? "");
        return found.filter((word) => word !== "" && word.startsWith(words.at(-1) ?? "")).sort();
      };
      expect(offers("runs", "wa")).toEqual(["wait", "watch"]);
      expect(offers("runs", "list", "-o", "")).toEqual(["json", "table"]);
      expect(offers("runs", "list", "--output", "t")).toEqual(["table"]);
      expect(offers("flows", "init", "--kind", "")).toEqual(["states", "tasks"]);
      expect(offers("completion", "")).toEqual(expect.arrayContaining(["bash", "fish", "zsh"]));
      expect(offers("approvals", "approve", "--comm")).toEqual(["--comment"]);
      // The folder has one file, "script".
      if (shell === "fish") {
        expect(offers("flows", "validate", "")).toEqual(["script"]);
        expect(offers("flows", "")).not.toContain("script");
      }
      if (shell === "zsh") {
        expect(offers("flows", "validate", "")).toContain("FILES");
        expect(offers("flows", "")).not.toContain("FILES");
      }
    },
  );
});
