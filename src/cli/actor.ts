/** In whose name the command line calls: what the user says, else the name under which the system knows the user. */
import { userInfo } from "node:os";
import { Option } from "commander";
import { ACTOR_KEY, encodeActor } from "../api/calls/caller.ts";

/** Option of commands that call. */
export interface ActorOptions {
  readonly by?: string;
}

/** `--by`. */
export function actorOption(): Option {
  return new Option("--by <name>", "who acts, for the record; not authenticated (default: the user of the system)").env(
    "ORCHESTRATOR_BY",
  );
}

/** The name; empty when the system knows none. */
export function actorOf({ by }: ActorOptions): string {
  if (by !== undefined && by !== "") return by;
  try {
    return userInfo().username;
  } catch {
    return ""; // a user without a name, as in some containers
  }
}

/** Headers that carry the name. */
export function actorHeaders(options: ActorOptions): Readonly<Record<string, string>> {
  const actor = actorOf(options);
  return actor === "" ? {} : { [ACTOR_KEY]: encodeActor(actor) };
}
