/**
 * Signatures of Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over id, time, and body, with dots between them.
 * Several keys give several signatures, with spaces between them: a receiver verifies with the one that it has.
 */
import { createHmac } from "node:crypto";

const PREFIX = "whsec_";

/** Shortest key, bytes. */
const MIN_BYTES = 16;

/** The keys of a secret. Throws with what is wrong; the secret is not repeated. */
export function readKeys(secret: string): readonly Buffer[] {
  const keys = secret
    .split(/\s+/)
    .filter((text) => text !== "")
    .map((text) => (text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), "base64") : Buffer.alloc(0)));
  if (keys.length > 0 && keys.every(({ length }) => length >= MIN_BYTES)) return keys;
  throw new Error(
    `the secret does not sign: write ${PREFIX} and base64 of ${MIN_BYTES} bytes or more, such as ${PREFIX}$(openssl rand -base64 32)`,
  );
}

/** The signature of a body. `at`: seconds since the epoch. */
export function sign(keys: readonly Buffer[], id: string, at: number, body: string): string {
  const content = `${id}.${at}.${body}`;
  return keys.map((key) => `v1,${createHmac("sha256", key).update(content).digest("base64")}`).join(" ");
}
