/** The folder of a task: what it is given in `input`, what it leaves in `output`. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Json } from "../shared/json.ts";
import { AgentError } from "../shared/messages.ts";
import type { Programs } from "./images.ts";
import type { Isolation } from "./isolation.ts";

export interface InputFile {
  readonly name: string;
  readonly content: Json;
  readonly encoding?: "utf-8" | "base64";
}

export interface OutputFile {
  readonly name: string;
  readonly size: number;
  readonly encoding: "utf-8" | "base64";
  readonly content: string;
}

export interface Outputs {
  readonly files: readonly OutputFile[];
  /** What is no regular file. It is never followed or read. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

export interface WorkspaceOptions {
  readonly folder: string;
  readonly isolation: Isolation;
  readonly uid: number | null;
  readonly programs: Programs;
  readonly files: readonly InputFile[];
}

/** Entries of the output folder that are looked at. */
const MAX_ENTRIES = 1_000;

/** Makes the folder. Throws FILE_NAME_INVALID, FILE_CONTENT_INVALID. */
export function makeWorkspace(options: WorkspaceOptions): void {
  const { folder, uid, programs, files } = options;
  const [input, output, bin] = ["input", "output", ".bin"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [folder, input, output, bin]) mkdirSync(each, { mode: 0o755 });
  for (const [name, path] of Object.entries(programs))
    writeFileSync(join(bin, name), `#!/bin/sh\nexec '${path.replaceAll("'", `'\\''`)}' "$@"\n`, { mode: 0o755 });
  const names = new Set<string>();
  for (const { name } of files) {
    checkName(name);
    if (names.has(name)) throw new AgentError("FILE_NAME_INVALID", `two files have the name "${name}"`);
    names.add(name);
  }
  for (const file of files) {
    const path = join(input, file.name);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, toBytes(file, options), { flag: "wx" });
    } catch (error) {
      if (error instanceof AgentError) throw error;
      // A file where another one wants a folder.
      throw new AgentError("FILE_NAME_INVALID", `"${file.name}" cannot be written beside the other files`);
    }
  }
  if (uid !== null) for (const each of listAll(folder)) chownSync(each, uid, uid);
}

/** Replaces `/workspace` where it is the beginning of a path. */
export function rewritePaths(text: string, folder: string): string {
  return text.replaceAll(/(?<![\w./-])\/workspace(?![\w.-])/g, () => folder);
}

/** Reads what is in the output folder. The task's processes have ended. Throws OUTPUT_TOO_LARGE. */
export function readOutputs(folder: string, maxBytes: number): Outputs {
  const files: OutputFile[] = [];
  const skipped: { name: string; reason: string }[] = [];
  let [bytes, entries] = [0, 0];
  const walk = (path: string, prefix: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = prefix + entry.name;
      if (++entries > MAX_ENTRIES)
        throw new AgentError("OUTPUT_TOO_LARGE", `/workspace/output has more than ${MAX_ENTRIES} entries`);
      if (entry.isDirectory()) {
        try {
          walk(join(path, entry.name), `${name}/`);
        } catch (error) {
          if (error instanceof AgentError) throw error;
          skipped.push({ name, reason: "unreadable" });
        }
      } else if (!entry.isFile()) skipped.push({ name, reason: entry.isSymbolicLink() ? "symbolic link" : "no file" });
      else {
        const content = readFile(join(path, entry.name));
        if (content === null) {
          skipped.push({ name, reason: "unreadable" });
          continue;
        }
        bytes += content.length;
        if (bytes > maxBytes)
          throw new AgentError("OUTPUT_TOO_LARGE", `with ${name}, /workspace/output has more than ${maxBytes} bytes`);
        files.push({ name, size: content.length, ...toText(content) });
      }
    }
  };
  walk(join(folder, "output"), "");
  return { files, skipped };

  function readFile(path: string): Buffer | null {
    try {
      const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const { size } = fstatSync(file);
        if (size > maxBytes) throw new AgentError("OUTPUT_TOO_LARGE", `a file has ${size} bytes; at most ${maxBytes}`);
        return readFileSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (error instanceof AgentError) throw error;
      return null;
    }
  }
}

/** Bytes as text if they are UTF-8 without NUL, which neither JSON readers nor databases like; else as base64. */
export function toText(bytes: Buffer): { readonly encoding: "utf-8" | "base64"; readonly content: string } {
  try {
    const content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!content.includes("\0")) return { encoding: "utf-8", content };
  } catch {
    // It is no text.
  }
  return { encoding: "base64", content: bytes.toString("base64") };
}

/** Bytes of everything below a folder, or more than `enough` if there is more. */
export function measureFolder(folder: string, enough: number): number {
  let bytes = 0;
  const folders = [folder];
  for (let path = folders.pop(); path !== undefined && bytes <= enough; path = folders.pop()) {
    try {
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        // A folder and its entries take space as well.
        bytes += 512;
        if (entry.isDirectory()) folders.push(join(path, entry.name));
        else bytes += lstatSync(join(path, entry.name)).blocks * 512;
        if (bytes > enough) break;
      }
    } catch {
      // It is gone, or not ours to read.
    }
  }
  return bytes;
}

/** Removes a folder, also one in which a task took away its own permissions. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    spawnSync("chmod", ["-R", "u+rwX", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function checkName(name: string): void {
  const parts = name.split("/");
  if (/[\0\n\\]/.test(name) || parts.some((part) => part === "" || part === "." || part === ".."))
    throw new AgentError(
      "FILE_NAME_INVALID",
      `"${name}" is no name below /workspace/input; write a relative path without . and ..`,
    );
}

function toBytes({ name, content, encoding }: InputFile, { isolation, folder }: WorkspaceOptions): Buffer {
  if (encoding === "base64") {
    if (typeof content !== "string" || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(content))
      throw new AgentError("FILE_CONTENT_INVALID", `the content of ${name} is not base64`);
    return Buffer.from(content, "base64");
  }
  const text = typeof content === "string" ? content : JSON.stringify(content);
  return Buffer.from(isolation === "rewrite" ? rewritePaths(text, folder) : text);
}

function listAll(folder: string): readonly string[] {
  chmodSync(folder, 0o755);
  return [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))];
}
