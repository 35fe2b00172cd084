/**
 * Ids of sessions, `<home>.<random>`. The home names the instance where the worker registered: a hash of its id, so
 * that ids are of one length whatever instances are called.
 */
import { createHash, randomBytes } from "node:crypto";

const HOME_BYTES = 9;
const RANDOM_BYTES = 16;

/** The home that the sessions of an instance name. */
export function homeOf(instanceId: string): string {
  return createHash("sha256").update(instanceId).digest().subarray(0, HOME_BYTES).toString("base64url");
}

/** A new id of a session at `home`. */
export function mintSessionId(home: string): string {
  return `${home}.${randomBytes(RANDOM_BYTES).toString("base64url")}`;
}

/** Id under which others see the worker of a session: who knows it cannot speak for the worker. */
export function workerIdOf(sessionId: string): string {
  return createHash("sha256").update(sessionId).digest("hex").slice(0, 20);
}

/** The home that a session names; empty when it names none. */
export function homeOfSession(sessionId: string): string {
  const [home = "", random] = sessionId.split(".");
  return random === undefined ? "" : home;
}
