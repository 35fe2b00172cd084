/** Text that the user points to: files and standard input. */
import { readFile } from "node:fs/promises";
import { fail } from "../base/errors.ts";

/** Text of a file, or of standard input for `-`. Error: FILE_UNREADABLE. */
export async function readText(path: string): Promise<string> {
  try {
    if (path !== "-") return await readFile(path, "utf8");
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : message;
    return fail("FILE_UNREADABLE", { path: path === "-" ? "standard input" : path, problem }, { cause });
  }
}

/** Whether an argument means a file and not the id of a flow: it is `-`, has a slash or the ending of a flow source. */
export function isSourcePath(argument: string): boolean {
  return argument === "-" || argument.includes("/") || /\.(ya?ml|json)$/.test(argument);
}

/** Flow id and version of `id@version`; the version is empty when there is none. */
export function readFlowName(argument: string): { readonly flowId: string; readonly version: string } {
  const at = argument.indexOf("@");
  return at < 0
    ? { flowId: argument, version: "" }
    : { flowId: argument.slice(0, at), version: argument.slice(at + 1) };
}
