/** Completion scripts for shells, made of the commands themselves. */
import type { Command } from "commander";

/** Shells that there are scripts for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** A word that may follow a command. */
interface Word {
  readonly text: string;
  readonly summary: string;
}

/** The completion script of a program for a shell. Names of commands and options are plain words; summaries are quoted. */
export function renderCompletion(shell: Shell, program: Command): string {
  const words = collectWords(program);
  switch (shell) {
    case "bash":
      return renderBash(program.name(), words);
    case "zsh":
      return renderZsh(program.name(), words);
    case "fish":
      return renderFish(program.name(), words);
  }
}

/** Words by path of commands: "" for the program, " flows list" for one below. */
function collectWords(command: Command, path = ""): ReadonlyMap<string, readonly Word[]> {
  const visible = command.options.filter((option) => !option.hidden);
  const words = [
    ...command.commands.map((child) => ({ text: child.name(), summary: child.description() })),
    ...visible.flatMap(({ long, description }) => (long ? [{ text: long, summary: description }] : [])),
    { text: "--help", summary: "print help" },
  ];
  const below = command.commands.flatMap((child) => [...collectWords(child, `${path} ${child.name()}`)]);
  return new Map([[path, words], ...below]);
}

function renderCases(words: ReadonlyMap<string, readonly Word[]>): string {
  const cases = [...words].map(([path, list]) => `    '${path}') echo '${list.map(({ text }) => text).join(" ")}' ;;`);
  return cases.join("\n");
}

function renderBash(name: string, words: ReadonlyMap<string, readonly Word[]>): string {
  return `_${name}_words() {
  case "$1" in
${renderCases(words)}
  esac
}
_${name}() {
  local at="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in -*) continue ;; esac
    [ -n "$(_${name}_words "$at $word")" ] && at="$at $word"
  done
  COMPREPLY=($(compgen -W "$(_${name}_words "$at")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name} ${name}
`;
}

function renderZsh(name: string, words: ReadonlyMap<string, readonly Word[]>): string {
  return `#compdef ${name}
_${name}_words() {
  case "$1" in
${renderCases(words)}
  esac
}
_${name}() {
  local at="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] && continue
    [[ -n "$(_${name}_words "$at $word")" ]] && at="$at $word"
  done
  compadd -- \${=$(_${name}_words "$at")}
  _files
}
compdef _${name} ${name}
`;
}

function renderFish(name: string, words: ReadonlyMap<string, readonly Word[]>): string {
  const paths = [...words.keys()].filter((path) => path !== "").map((path) => `'${path}'`);
  const lines = [...words].flatMap(([path, list]) =>
    list.map(({ text, summary }) => {
      const word = text.startsWith("--") ? `-l ${text.slice(2)}` : `-a ${text}`;
      return `complete -c ${name} -n "__${name}_at '${path}'" ${word} -d '${summary.replaceAll(/['\\]/g, "\\$&")}'`;
    }),
  );
  return `function __${name}_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    contains -- "$at $word" ${paths.join(" ")}; and set at "$at $word"
  end
  test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}
