/** What stands for a container image on this machine. */
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AgentError } from "../shared/messages.ts";

/** Programs by the names under which a command calls them; values are absolute paths. */
export type Programs = Readonly<Record<string, string>>;

/** Families of official images, by the last part of the name. */
const FAMILIES: Readonly<Record<string, () => Programs | null>> = {
  python: () => withPath("python3", (path) => ({ python: path, python3: path })),
  node: () => ({ node: realpathSync(process.execPath) }),
  bash: () => withPath("bash", (path) => ({ bash: path })),
  alpine: () => ({}),
  busybox: () => ({}),
  debian: () => ({}),
  ubuntu: () => ({}),
};

/**
 * Returns the programs for an image; without an image those of every machine: the shell. The version of the image is
 * not kept. Throws IMAGE_NOT_AVAILABLE.
 */
export function findImage(image: string | undefined): Programs {
  if (image === undefined) return {};
  const [, name = ""] =
    /^(?:docker\.io\/)?(?:library\/)?([a-z]+)(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?$/.exec(image) ?? [];
  const programs = Object.hasOwn(FAMILIES, name) ? (FAMILIES[name]?.() ?? null) : null;
  if (programs === null)
    throw new AgentError(
      "IMAGE_NOT_AVAILABLE",
      `nothing on this machine stands for the image ${image}; there is something for ${Object.keys(FAMILIES).join(", ")}`,
    );
  return programs;
}

/**
 * Finds a program on PATH that commands may run: as root they run as another user, who may not see the folder of root.
 * Scripts that lead to a program, as those of version managers, are passed over.
 */
function withPath(program: string, toPrograms: (path: string) => Programs): Programs | null {
  const found = (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, program));
  const path = [...found, `/usr/bin/${program}`].find((each) => isUsable(each));
  return path === undefined ? null : toPrograms(realpathSync(path));
}

function isUsable(path: string): boolean {
  try {
    const real = realpathSync(path);
    accessSync(real, constants.X_OK);
    if (!/^\x7fELF/.test(readStart(real))) return false;
    return process.getuid?.() !== 0 || foldersOf(real).every((folder) => (statSync(folder).mode & 0o001) !== 0);
  } catch {
    return false;
  }
}

/** A file and the folders above it. */
function foldersOf(path: string): readonly string[] {
  return path === "/" ? [path] : [path, ...foldersOf(dirname(path))];
}

function readStart(path: string): string {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(4);
    readSync(file, bytes);
    return bytes.toString("latin1");
  } finally {
    closeSync(file);
  }
}
