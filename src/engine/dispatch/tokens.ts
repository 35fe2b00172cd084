/**
 * Task tokens: a hand-over, sealed, so that they say nothing to the one that holds them, cannot be forged, and are
 * valid at every instance on the database and across restarts.
 *
 *   version · key id · synthetic IV (16 bytes, or 12) · encrypted: fence (4 bytes), run id
 *
 * Versions: 1 the run id as text; 2 and 3 a longer id, packed, with the shorter IV, 3 that of a child run. They have at
 * most 128 characters, but for child runs of a run whose id has more than 90: theirs have up to 144.
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
import { packId, unpackId } from "./packed-ids.ts";

/** Version, with the bytes of the IV and what is encrypted beside the fence. */
const TEXT = { version: 1, ivBytes: 16 } as const;
const PACKED = { version: 2, ivBytes: 12 } as const;
const PACKED_CHILD = { version: 3, ivBytes: 12 } as const;
/** Longest run id, in bytes, that is sealed as text. */
const MAX_TEXT_BYTES = 74;
const HEADER_BYTES = 2;
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
    const { form, bytes } = encode(runId);
    const plain = Buffer.allocUnsafe(FENCE_BYTES + bytes.length);
    plain.writeUInt32BE(fence, 0);
    bytes.copy(plain, FENCE_BYTES);
    const { id, mac, cipher } = this.#seals;
    const iv = macOf(mac, tenantId, plain, form);
    const encrypt = createCipheriv("aes-256-ctr", cipher, counterOf(iv));
    return Buffer.concat([Buffer.from([form.version, id]), iv, encrypt.update(plain), encrypt.final()]).toString(
      "base64url",
    );
  }

  /** Null when the token is not one that was sealed for this tenant. */
  open(tenantId: string, token: string): HandOverRef | null {
    const bytes = Buffer.from(token, "base64url");
    const form = FORMS.find(({ version }) => version === bytes[0]);
    const key = this.#keys.get(bytes[1] ?? 0);
    // Another spelling of the same bytes is another token.
    if (form === undefined || key === undefined || bytes.toString("base64url") !== token) return null;
    const textAt = HEADER_BYTES + form.ivBytes;
    if (bytes.length <= textAt + FENCE_BYTES) return null;
    const iv = bytes.subarray(HEADER_BYTES, textAt);
    const decrypt = createDecipheriv("aes-256-ctr", key.cipher, counterOf(iv));
    const plain = Buffer.concat([decrypt.update(bytes.subarray(textAt)), decrypt.final()]);
    if (!timingSafeEqual(macOf(key.mac, tenantId, plain, form), iv)) return null;
    const id = plain.subarray(FENCE_BYTES);
    const runId = form === TEXT ? id.toString("utf8") : unpackId({ isChild: form === PACKED_CHILD, bytes: id });
    return { fence: plain.readUInt32BE(0), runId };
  }
}

const FORMS = [TEXT, PACKED, PACKED_CHILD] as const;
type Form = (typeof FORMS)[number];

function encode(runId: string): { readonly form: Form; readonly bytes: Buffer } {
  const bytes = Buffer.from(runId);
  const packed = bytes.length <= MAX_TEXT_BYTES ? null : packId(runId);
  if (packed === null) return { form: TEXT, bytes };
  return { form: packed.isChild ? PACKED_CHILD : PACKED, bytes: packed.bytes };
}

function macOf(key: KeyObject, tenantId: string, plain: Buffer, { version, ivBytes }: Form): Buffer {
  // With its length in front, no tenant can be mistaken for another one with a longer name.
  const text = `${Buffer.byteLength(tenantId)}:${tenantId}`;
  // Nor one form for another one.
  const mark = version === TEXT.version ? "" : `#${version}`;
  return createHmac("sha256", key).update(`${mark}${text}`).update(plain).digest().subarray(0, ivBytes);
}

/** The IV as the start of the counter, which takes 16 bytes. */
function counterOf(iv: Buffer): Buffer {
  return iv.length === TEXT.ivBytes ? iv : Buffer.concat([iv, Buffer.alloc(TEXT.ivBytes - iv.length)]);
}

function derive({ id, secret }: TokenKey): DerivedKey {
  const bytes = Buffer.from(hkdfSync("sha256", secret, "", "orchestrator task token", 2 * KEY_BYTES));
  return { id, mac: createSecretKey(bytes.subarray(0, KEY_BYTES)), cipher: createSecretKey(bytes.subarray(KEY_BYTES)) };
}
