/**
 * Task tokens: a hand-over, sealed, so that they say nothing to the one that holds them, cannot be forged, and are
 * valid at every instance on the database and across restarts.
 *
 *   version · key id · synthetic IV (16 bytes) · encrypted: fence (4 bytes), run id
 *
 * Sealing the same hand-over twice gives the same token, so a repeated message is recognized. The IV is a MAC of the
 * tenant and of what is sealed: it is the authentication tag, too, and a token is of no use to another tenant.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import type { HandOverRef } from "../ports/dispatch/hand-overs.ts";

const VERSION = 1;
const HEADER_BYTES = 2;
const IV_BYTES = 16;
const FENCE_BYTES = 4;
const KEY_BYTES = 32;

/** Number of the key that the database keeps. */
export const DATABASE_KEY = 1;

/** A key and its number, which the tokens carry. */
export interface TokenKey {
  /** 0 to 255. */
  readonly id: number;
  /** At least 32 random bytes. */
  readonly secret: Uint8Array;
}

/** Key objects: with the bytes in their place, Node took four times as long to seal. */
interface DerivedKey {
  readonly id: number;
  readonly mac: KeyObject;
  readonly cipher: KeyObject;
}

/** Seals and opens task tokens. */
export class TaskTokens {
  readonly #seals: DerivedKey;
  readonly #keys: ReadonlyMap<number, DerivedKey>;

  /** Seals with the first key and opens with all. */
  constructor(first: TokenKey, ...others: readonly TokenKey[]) {
    this.#seals = derive(first);
    this.#keys = new Map([this.#seals, ...others.map(derive)].map((key) => [key.id, key]));
  }

  seal(tenantId: string, { runId, fence }: HandOverRef): string {
    const plain = Buffer.allocUnsafe(FENCE_BYTES + Buffer.byteLength(runId));
    plain.writeUInt32BE(fence, 0);
    plain.write(runId, FENCE_BYTES);
    const { id, mac, cipher } = this.#seals;
    const iv = macOf(mac, tenantId, plain);
    const encrypt = createCipheriv("aes-256-ctr", cipher, iv);
    return Buffer.concat([Buffer.from([VERSION, id]), iv, encrypt.update(plain), encrypt.final()]).toString(
      "base64url",
    );
  }

  /** Null when the token is not one that was sealed for this tenant. */
  open(tenantId: string, token: string): HandOverRef | null {
    const bytes = Buffer.from(token, "base64url");
    // Another spelling of the same bytes is another token.
    if (bytes.length <= HEADER_BYTES + IV_BYTES + FENCE_BYTES || bytes.toString("base64url") !== token) return null;
    const key = this.#keys.get(bytes[1] ?? 0);
    if (bytes[0] !== VERSION || key === undefined) return null;
    const iv = bytes.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES);
    const decrypt = createDecipheriv("aes-256-ctr", key.cipher, iv);
    const plain = Buffer.concat([decrypt.update(bytes.subarray(HEADER_BYTES + IV_BYTES)), decrypt.final()]);
    if (!timingSafeEqual(macOf(key.mac, tenantId, plain), iv)) return null;
    return { fence: plain.readUInt32BE(0), runId: plain.toString("utf8", FENCE_BYTES) };
  }
}

function macOf(key: KeyObject, tenantId: string, plain: Buffer): Buffer {
  // With its length in front, no tenant can be mistaken for another one with a longer name.
  const text = Buffer.from(`${Buffer.byteLength(tenantId)}:${tenantId}`);
  return createHmac("sha256", key).update(text).update(plain).digest().subarray(0, IV_BYTES);
}

function derive({ id, secret }: TokenKey): DerivedKey {
  const bytes = Buffer.from(hkdfSync("sha256", secret, "", "orchestrator task token", 2 * KEY_BYTES));
  return { id, mac: createSecretKey(bytes.subarray(0, KEY_BYTES)), cipher: createSecretKey(bytes.subarray(KEY_BYTES)) };
}
