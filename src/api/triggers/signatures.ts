/**
 * Signatures of webhooks. Each is an HMAC-SHA256 over the bytes as they came:
 *
 *   standard-webhooks  `webhook-signature: v1,<base64> …` over `<webhook-id>.<webhook-timestamp>.<body>`
 *   stripe             `stripe-signature: t=<time>,v1=<hex>,…` over `<time>.<body>`
 *   github             `x-hub-signature-256: sha256=<hex>` over the body: neither time nor id are signed
 *
 * Every signature is compared with that of every secret, in constant time, so that an answer tells nothing of either.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { WebhookScheme } from "../../flows/triggers/trigger-document.ts";

/** How far the time of a signature may be from ours, milliseconds. */
const TOLERANCE_MS = 5 * 60_000;

/** Most signatures of a request that are looked at. */
const MAX_SIGNATURES = 16;

/** A webhook as it came. Names of headers are in lower case. */
export interface ReceivedWebhook {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a scheme signs, and with what. Null: the request has no signature of the scheme. */
interface Signed {
  /** What is hashed before the body. */
  readonly prefix: string;
  /** When it was signed, milliseconds; null: the scheme does not say. */
  readonly at: number | null;
  readonly signatures: readonly Buffer[];
}

interface Scheme {
  readonly read: (headers: ReceivedWebhook["headers"]) => Signed | null;
  readonly keyOf: (secret: string) => Buffer;
  /** Headers that hold nothing but signatures. */
  readonly headers: readonly string[];
}

const SCHEMES: Readonly<Record<Exclude<WebhookScheme, "none">, Scheme>> = {
  "standard-webhooks": {
    read(headers) {
      const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": given } = headers;
      if (id === undefined || given === undefined || time === undefined || !isTime(time)) return null;
      const signatures = given.split(" ").flatMap((one) => (one.startsWith("v1,") ? [base64(one.slice(3))] : []));
      return { prefix: `${id}.${time}.`, at: Number(time) * 1_000, signatures };
    },
    // The prefix is there by custom; what follows is base64.
    keyOf: (secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"),
    headers: ["webhook-signature"],
  },
  stripe: {
    read({ "stripe-signature": given }) {
      const parts = (given ?? "").split(",").map((part) => part.trim().split(/=(.*)/s));
      const time = parts.find(([name]) => name === "t")?.[1];
      if (time === undefined || !isTime(time)) return null;
      const signatures = parts.flatMap(([name, value = ""]) => (name === "v1" ? [Buffer.from(value, "hex")] : []));
      return { prefix: `${time}.`, at: Number(time) * 1_000, signatures };
    },
    keyOf: (secret) => Buffer.from(secret),
    headers: ["stripe-signature"],
  },
  github: {
    read({ "x-hub-signature-256": given = "" }) {
      const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(given) ?? [];
      return hex === undefined ? null : { prefix: "", at: null, signatures: [Buffer.from(hex, "hex")] };
    },
    keyOf: (secret) => Buffer.from(secret),
    headers: ["x-hub-signature-256", "x-hub-signature"],
  },
};

/** Headers that hold nothing but credentials: no expression reads them. */
export const CREDENTIAL_HEADERS: ReadonlySet<string> = new Set([
  ...Object.values(SCHEMES).flatMap(({ headers }) => headers),
  ...["authorization", "proxy-authorization", "cookie", "x-orchestrator-forwarded"],
]);

/** Whether one of the secrets has signed the webhook, not long before or after `now`. A scheme without one has not. */
export function isSigned(
  scheme: WebhookScheme,
  { body, headers }: ReceivedWebhook,
  secrets: readonly string[],
  now: number,
): boolean {
  if (scheme === "none") return false;
  const { read, keyOf } = SCHEMES[scheme];
  const signed = read(headers);
  if (signed === null) return false;
  let holds = false;
  for (const secret of secrets) {
    const key = keyOf(secret);
    if (key.length === 0) continue;
    const expected = createHmac("sha256", key).update(signed.prefix).update(body).digest();
    for (const signature of signed.signatures.slice(0, MAX_SIGNATURES))
      if (signature.length === expected.length && timingSafeEqual(signature, expected)) holds = true;
  }
  return holds && (signed.at === null || Math.abs(now - signed.at) <= TOLERANCE_MS);
}

function isTime(text: string): boolean {
  return /^\d{1,12}$/.test(text);
}

function base64(text: string): Buffer {
  return Buffer.from(text, "base64");
}
