/**
 * Chooses the service that a command calls. In order of precedence: flags, environment, current profile, most recently
 * started local service.
 */
import type { Command } from "commander";
import { formatAddress, readAddress } from "../../api/client/address.ts";
import { findLastService } from "./last-service.ts";
import { findProfile, type Profile, type ProfileFile, profilePath, readProfiles } from "./profiles.ts";

/** Default address. */
export const DEFAULT_SERVER = "127.0.0.1:8002";

/** Where the value of an option comes from; absent without a value. */
export type OptionSource = "cli" | "env";

/** What the user specified about the service. */
export interface ServiceChoice {
  readonly server?: string;
  readonly profile?: string;
  readonly token?: string;
  readonly configHome?: string;
  readonly stateHome?: string;
  /** Sources of server, profile, and token. */
  readonly sources?: Readonly<Partial<Record<"server" | "profile" | "token", OptionSource>>>;
}

/** The service to call. */
export interface ChosenService {
  readonly address: string;
  readonly token?: string;
  /** Where the address comes from, for error messages; empty if the user typed it or it is the default. */
  readonly origin: string;
}

/** Sources of a command's options. */
export function sourcesOf(called: Command): NonNullable<ServiceChoice["sources"]> {
  const names = ["server", "profile", "token"] as const;
  return Object.fromEntries(names.map((name) => [name, called.getOptionValueSource(name)]));
}

/**
 * Chooses the service. A named profile must exist even if its address is not used. A profile's token is only sent to
 * that profile's address, and a token from the environment is not sent to a profile that overrides ORCHESTRATOR_SERVER.
 * Errors: PROFILE_NOT_FOUND, PROFILE_INVALID, ADDRESS_INVALID.
 */
export async function chooseService(choice: ServiceChoice): Promise<ChosenService> {
  const { sources = {} } = choice;
  // An empty variable counts as absent, an empty flag is a mistake.
  const given = (name: "server" | "profile" | "token"): string | undefined =>
    choice[name] === "" && sources[name] !== "cli" ? undefined : choice[name];
  const [server, profileName, token] = [given("server"), given("profile"), given("token")];
  const isServerFlag = server !== undefined && sources.server !== "env";
  const isProfileFlag = profileName !== undefined && sources.profile !== "env";
  const file =
    profileName !== undefined || server === undefined ? await readProfiles(profilePath(choice.configHome)) : NONE;
  const named = profileName === undefined ? undefined : findProfile(file, profileName);
  if (server !== undefined && (isServerFlag || !isProfileFlag)) {
    const address = normalize(server);
    const own = named !== undefined && normalize(named.server) === address ? named.token : undefined;
    return withToken({ address, origin: isServerFlag ? "" : "ORCHESTRATOR_SERVER" }, token ?? own);
  }
  if (profileName !== undefined && named !== undefined) {
    const own =
      isProfileFlag && sources.token === "env"
        ? (named.token ?? (server === undefined ? token : undefined))
        : (token ?? named.token);
    return fromProfile(profileName, named, own);
  }
  if (file.current !== "") {
    const current = findProfile(file, file.current);
    return fromProfile(file.current, current, token ?? current.token);
  }
  const last = findLastService(choice.stateHome);
  if (last === null || last === DEFAULT_SERVER) return withToken({ address: DEFAULT_SERVER, origin: "" }, token);
  return withToken({ address: last, origin: "the service that was started last on this machine" }, token);
}

const NONE: ProfileFile = { current: "", profiles: {} };

function fromProfile(name: string, profile: Profile, token: string | undefined): ChosenService {
  return withToken({ address: normalize(profile.server), origin: `profile ${name}` }, token);
}

function withToken(chosen: ChosenService, token: string | undefined): ChosenService {
  return token === undefined ? chosen : { ...chosen, token };
}

function normalize(address: string): string {
  return formatAddress(readAddress(address));
}
