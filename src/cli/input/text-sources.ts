/** Reads text from files and standard input. */
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { fail } from "../../base/errors.ts";
import { suggestFile } from "../near-names.ts";

/** Reads a file, or standard input for `-`. Error: FILE_UNREADABLE, also for text that is not UTF-8, with the line. */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return fail("FILE_UNREADABLE", { path: path === "-" ? "standard input" : path, problem: describeEncoding(bytes) });
}

/** Describes bytes that are not UTF-8, and the fix. */
function describeEncoding(bytes: Buffer): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return "it is UTF-16; save it as UTF-8";
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    const next = end < 0 ? bytes.length : end + 1;
    if (!isUtf8(bytes.subarray(start, next))) break;
    start = next;
  }
  return `line ${line} is not UTF-8 (perhaps Windows-1252); save the file as UTF-8`;
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    if (path !== "-") return await readFile(path);
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const problem =
      code === "ENOENT" ? `there is no such file${suggestFile(path)}` : code === "EISDIR" ? "it is a folder" : message;
    return fail("FILE_UNREADABLE", { path: path === "-" ? "standard input" : path, problem }, { cause });
  }
}

/** Whether an argument is a file, not a flow id: `-`, a path with a slash, or the extension of a flow source. */
export function isSourcePath(argument: string): boolean {
  return argument === "-" || argument.includes("/") || /\.(ya?ml|json)$/.test(argument);
}

/** Splits `id@version`; the version is empty if there is none. */
export function readFlowName(argument: string): { readonly flowId: string; readonly version: string } {
  const at = argument.indexOf("@");
  return at < 0
    ? { flowId: argument, version: "" }
    : { flowId: argument.slice(0, at), version: argument.slice(at + 1) };
}
