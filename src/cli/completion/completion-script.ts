/** Shell completion scripts, generated from the commands. */
import type { Argument, Command, Option } from "commander";
import { kindsOf } from "./completed.ts";

/** Supported shells. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

/** What can follow the words of a command. */
interface Place {
  /** Words before it: "" for the program, " flows list" for a subcommand. */
  readonly path: string;
  /** Subcommands, and values of an argument with a fixed list. */
  readonly words: readonly Word[];
  readonly options: readonly OptionWord[];
  /** Whether an argument can be a file. */
  readonly takesFiles: boolean;
  /** Whether only the program can list the values of an argument. */
  readonly isListed: boolean;
}

interface Word {
  readonly text: string;
  readonly summary: string;
}

interface OptionWord {
  /** `--output` */
  readonly long: string;
  /** `-o`; empty if there is none. */
  readonly short: string;
  readonly summary: string;
  /** Values from a fixed list; empty if there is none. */
  readonly values: readonly string[];
  readonly takesValue: boolean;
  /** Whether only the program can list the values. */
  readonly isListed: boolean;
}

/**
 * Renders the completion script of a program. Names of commands, options, and values are plain words; summaries are
 * quoted.
 */
export function renderCompletion(shell: Shell, program: Command): string {
  const places = collectPlaces(program);
  switch (shell) {
    case "bash":
      return renderBash(program.name(), places);
    case "zsh":
      return renderZsh(program.name(), places);
    case "fish":
      return renderFish(program.name(), places);
  }
}

function collectPlaces(command: Command, path = ""): readonly Place[] {
  const options = command.options
    .filter(({ hidden, long }) => !hidden && long !== undefined)
    .map((option) => ({
      long: option.long ?? "",
      short: option.short ?? "",
      summary: option.description,
      values: option.argChoices ?? [],
      takesValue: option.required || option.optional,
      isListed: isListed(option),
    }));
  const help = { long: "--help", short: "-h", summary: "print help", values: [], takesValue: false, isListed: false };
  const values = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  const place: Place = {
    path,
    words: [
      ...command.commands.map((child) => ({ text: child.name(), summary: child.description() })),
      ...values.map((text) => ({ text, summary: "" })),
    ],
    options: [...options, help],
    takesFiles: command.registeredArguments.some((argument) => kindsOf(argument).includes("file")),
    isListed: command.registeredArguments.some(isListed),
  };
  return [place, ...command.commands.flatMap((child) => collectPlaces(child, `${path} ${child.name()}`))];
}

function isListed(target: Argument | Option): boolean {
  return kindsOf(target).some((kind) => kind !== "file");
}

/** Cases of a shell function: words at each path, and values of options for each "path --option". */
function renderCases(places: readonly Place[]): string {
  const line = (pattern: string, words: readonly string[]): string => `    ${pattern}) echo '${words.join(" ")}' ;;`;
  const cases = places.flatMap(({ path, words, options }) => [
    line(`'${path}'`, [...words.map(({ text }) => text), ...options.map(({ long }) => long)]),
    ...options
      .filter(({ values }) => values.length > 0)
      .map(({ long, short, values }) =>
        line(short === "" ? `'${path} ${long}'` : `'${path} ${long}' | '${path} ${short}'`, values),
      ),
  ]);
  return cases.join("\n");
}

/** A `case` pattern for options with free values, after which no known word fits. */
function renderFreeOptions(places: readonly Place[]): string {
  const options = places.flatMap((place) =>
    place.options.filter(({ values, takesValue }) => takesValue && values.length === 0),
  );
  return [...new Set(options.flatMap(({ long, short }) => (short === "" ? [long] : [long, short])))].join(" | ");
}

/** A `case` pattern for the paths that satisfy a condition. */
function renderPaths(places: readonly Place[], condition: (place: Place) => boolean): string {
  return places
    .filter(condition)
    .map(({ path }) => `'${path}'`)
    .join(" | ");
}

/** A `case` pattern of "path --option" for options whose values the program lists. */
function renderListedOptions(places: readonly Place[]): string {
  const names = places.flatMap(({ path, options }) =>
    options
      .filter((option) => option.isListed)
      .flatMap(({ long, short }) => (short === "" ? [long] : [long, short]))
      .map((name) => `'${path} ${name}'`),
  );
  return names.join(" | ");
}

function renderBash(name: string, places: readonly Place[]): string {
  return `_${name}_words() {
  case "$1" in
${renderCases(places)}
  esac
}
_${name}() {
  local at="" word words="" i asks="" found=() before="\${COMP_WORDS[COMP_CWORD - 1]}" now="\${COMP_WORDS[COMP_CWORD]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$word" in -*) continue ;; esac
    [ -n "$(_${name}_words "$at $word")" ] && at="$at $word"
  done
  case "$before" in
    -*) words="$(_${name}_words "$at $before")" ;;
  esac
  case "$at $before" in
    ${renderListedOptions(places)}) asks=value ;;
  esac
  case "$before" in
    ${renderFreeOptions(places)}) ;;
    *)
      if [ -z "$words" ]; then
        case "$at" in
          ${renderPaths(places, (place) => place.isListed)}) asks=argument ;;
        esac
        words="$(_${name}_words "$at")"
      fi ;;
  esac
  case "$now" in
    -*) asks="" ;;
  esac
  if [ -n "$asks" ]; then
    # Names of a service are never expanded by the shell.
    while IFS= read -r word; do found+=("$word"); done < <(
      "\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null
      [ "$asks" = argument ] && case "$at" in
        ${renderPaths(places, (place) => place.takesFiles)}) compgen -f -- "$now" ;;
      esac
    )
    if [ \${#found[@]} -gt 0 ]; then
      compopt -o nosort -o filenames 2>/dev/null
      COMPREPLY=("\${found[@]}")
      return
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$now"))
}
complete -o default -F _${name} ${name}
`;
}

function renderZsh(name: string, places: readonly Place[]): string {
  const files = renderPaths(places, ({ takesFiles }) => takesFiles);
  return `#compdef ${name}
_${name}_words() {
  case "$1" in
${renderCases(places)}
  esac
}
_${name}_names() {
  local -a names
  [[ "\${words[CURRENT]}" == -* ]] && return 1
  names=(\${(f)"$("\${(Q)words[1]}" complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)"})
  (( $#names )) && compadd -V names -- $names
}
_${name}() {
  local at="" word found before="\${words[CURRENT-1]}"
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] && continue
    [[ -n "$(_${name}_words "$at $word")" ]] && at="$at $word"
  done
  [[ "$before" == -* ]] && found="$(_${name}_words "$at $before")"
  if [[ -n "$found" ]]; then
    compadd -- \${=found}
    return
  fi
  case "$at $before" in
    ${renderListedOptions(places)}) _${name}_names; return ;;
  esac
  case "$before" in
    ${renderFreeOptions(places)}) _files; return ;;
  esac
  case "$at" in
    ${renderPaths(places, (place) => place.isListed)}) _${name}_names ;;
    *) false ;;
  esac || compadd -- \${=$(_${name}_words "$at")}
  case "$at" in
    ${files}) _files ;;
  esac
}
compdef _${name} ${name}
`;
}

function renderFish(name: string, places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== "").map(({ path }) => `'${path}'`);
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
  const names = `(__${name}_names)`;
  const lines = places.flatMap(({ path, words, options, takesFiles, isListed }) => {
    const at = `complete -c ${name} -n "__${name}_at '${path}'"`;
    return [
      // Offer files only where one can be.
      ...(takesFiles ? [] : [`${at} -f`]),
      ...words.map(({ text, summary }) => `${at} -a ${text}${summary === "" ? "" : ` -d ${quote(summary)}`}`),
      ...(isListed ? [`${at} -k -a '${names}'`] : []),
      ...options.map(({ long, short, summary, values, takesValue, isListed }) => {
        const spelled = `-l ${long.slice(2)}${short === "" ? "" : ` -s ${short.slice(1)}`}`;
        const listed = isListed ? names : values.join(" ");
        const value = listed !== "" ? ` -x -k -a '${listed}'` : takesValue ? " -r -F" : "";
        return `${at} ${spelled}${value} -d ${quote(summary)}`;
      }),
    ];
  });
  return `function __${name}_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and continue
    contains -- "$at $word" ${paths.join(" ")}; and set at "$at $word"
  end
  test "$at" = "$argv[1]"
end
function __${name}_names
  set -l words (commandline -opc)
  set -l now (commandline -ct)
  type -q $words[1]; or return
  $words[1] complete -- $words[2..-1] "$now" 2>/dev/null </dev/null
end
${lines.join("\n")}
`;
}
