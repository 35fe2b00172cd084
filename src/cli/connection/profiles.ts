/** Profiles: names for services with address and token, in the user's configuration folder. */
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fail } from "../../base/errors.ts";
import { suggest } from "../../tasks/schema/suggest.ts";

/** A named service. */
export interface Profile {
  readonly server: string;
  readonly token?: string;
}

/** Contents of the profile file. */
export interface ProfileFile {
  /** Name of the current profile; empty if there is none. */
  readonly current: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Path of the file: in XDG_CONFIG_HOME if it is set, otherwise in the system's configuration folder. */
export function profilePath(configHome: string | undefined): string {
  const base = configHome ?? join(homedir(), process.platform === "darwin" ? "Library/Application Support" : ".config");
  return join(base, "orchestrator", "profiles.yaml");
}

/** Reads the file; a missing file has no profiles. Error: PROFILE_INVALID. */
export async function readProfiles(path: string): Promise<ProfileFile> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    return fail("PROFILE_INVALID", { path, problem: error.message }, { cause: error });
  });
  if (text === "") return { current: "", profiles: {} };
  const { parse } = await import("yaml");
  try {
    return checkFile(parse(text) as unknown, path);
  } catch (cause) {
    if (cause instanceof Error && cause.name === "YAMLParseError")
      fail("PROFILE_INVALID", { path, problem: cause.message.split("\n")[0] ?? "" }, { cause });
    throw cause;
  }
}

/** Writes the file with access for its owner only, because it can contain tokens. */
export async function writeProfiles(path: string, file: ProfileFile): Promise<void> {
  const { stringify } = await import("yaml");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, stringify(file), { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, path);
}

/** Finds a profile by name. Error: PROFILE_NOT_FOUND. */
export function findProfile(file: ProfileFile, name: string): Profile {
  const names = Object.keys(file.profiles);
  if (!Object.hasOwn(file.profiles, name)) {
    const hint = suggest(name, names) || (names.length === 0 ? "; there are none yet" : `; known: ${names.join(", ")}`);
    fail("PROFILE_NOT_FOUND", { name, hint });
  }
  return file.profiles[name] as Profile;
}

/** Rejects names that need quoting in files or shells. Error: INVALID_REQUEST. */
export function checkProfileName(name: string): void {
  if (!NAME.test(name))
    fail("INVALID_REQUEST", { problem: `"${name}" cannot name a profile: letters, digits, ., _ and -`, field: "name" });
}

function checkFile(value: unknown, path: string): ProfileFile {
  const refuse = (problem: string): never => fail("PROFILE_INVALID", { path, problem });
  if (!isRecord(value)) return refuse("expected the keys current and profiles");
  const { current = "", profiles = {}, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return refuse(`unknown key "${unknown}"`);
  if (typeof current !== "string") return refuse("current must be the name of a profile");
  if (!isRecord(profiles)) return refuse("profiles must be a map from name to profile");
  for (const [name, profile] of Object.entries(profiles)) {
    if (!isRecord(profile) || typeof profile.server !== "string") return refuse(`profile "${name}" needs a server`);
    if (profile.token !== undefined && typeof profile.token !== "string")
      return refuse(`the token of profile "${name}" must be text`);
  }
  return { current, profiles: profiles as unknown as Readonly<Record<string, Profile>> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
