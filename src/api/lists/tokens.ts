/**
 * Page tokens and cursors: opaque to callers, verified when they come back.
 *
 * A page token has the place of the last line and a MAC over tenant, query, and place. With another filter, method, or
 * tenant it is PAGE_TOKEN_INVALID. A cursor has the sequence of a run's journal and a tag that binds it to run and
 * tenant. Neither grants access: every call is authorized separately. The key is in the store, so tokens survive
 * restarts and are valid on every instance.
 */
import { createHash, createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { fail } from "../../base/errors.ts";

const MAC_BYTES = 16;
const TAG_BYTES = 9;

/** A place in a list: text and numbers whose meaning the list defines. */
export type Place = readonly (string | number)[];

/** A time in a place. A damaged row can have one that JSON numbers cannot represent. */
export function toPlace(at: number): string | number {
  return Number.isFinite(at) ? at : String(at);
}

/** Where a watch resumes. */
export interface Cursor {
  readonly sequence: number;
  /** The reader has seen the end of the run: resuming waits for it to be reopened. */
  readonly ended: boolean;
}

/** Creates and verifies tokens. */
export interface Tokens {
  /** Token of the page after `place`. `query` is what must stay the same: method and arguments. */
  toPageToken(tenantId: string, query: readonly string[], place: Place): string;
  /** Place of a token; null for an empty token. Error: PAGE_TOKEN_INVALID. */
  fromPageToken(tenantId: string, query: readonly string[], token: string): Place | null;
  /** Cursors of one run. */
  cursorsOf(tenantId: string, runId: string): RunCursors;
  /** Cursors of watches over the runs that meet a filter. */
  runsCursorsOf(tenantId: string, filter: string): RunsCursors;
}

/** Creates and verifies cursors of watches over many runs. A place is a time, milliseconds since the epoch. */
export interface RunsCursors {
  toCursor(at: number): string;
  /** Error: WATCH_CURSOR_INVALID. */
  fromCursor(cursor: string): number;
}

/** Creates and verifies cursors of one run. */
export interface RunCursors {
  toCursor(sequence: number, ended?: boolean): string;
  /** Error: WATCH_CURSOR_INVALID. */
  fromCursor(cursor: string): Cursor;
}

/** Creates tokens with a key of at least 32 bytes. */
export function createTokens(key: Uint8Array): Tokens {
  if (key.length < 32) throw new Error("the key of tokens needs 32 bytes");
  const secret = createSecretKey(key);
  const mac = (parts: readonly (string | Uint8Array)[]): Buffer => {
    const hmac = createHmac("sha256", secret);
    for (const part of parts) hmac.update(`${part.length}:`).update(part);
    return hmac.digest();
  };
  const macOfPage = (tenantId: string, query: readonly string[], place: Uint8Array): Buffer =>
    mac(["page", tenantId, createHash("sha256").update(JSON.stringify(query)).digest(), place]).subarray(0, MAC_BYTES);
  return {
    toPageToken(tenantId, query, place) {
      const bytes = Buffer.from(JSON.stringify(place), "utf8");
      return Buffer.concat([macOfPage(tenantId, query, bytes), bytes]).toString("base64url");
    },
    fromPageToken(tenantId, query, token) {
      if (token === "") return null;
      const bytes = Buffer.from(token, "base64url");
      const place = bytes.subarray(MAC_BYTES);
      const given = bytes.subarray(0, MAC_BYTES);
      if (
        given.length !== MAC_BYTES ||
        bytes.toString("base64url") !== token ||
        !timingSafeEqual(given, macOfPage(tenantId, query, place))
      ) {
        fail("PAGE_TOKEN_INVALID");
      }
      return JSON.parse(place.toString("utf8")) as Place;
    },
    runsCursorsOf(tenantId, filter) {
      const tag = mac(["runs-cursor", tenantId, filter]).subarray(0, TAG_BYTES).toString("base64url");
      return {
        toCursor: (at) => `r${Math.floor(at).toString(36)}.${tag}`,
        fromCursor(cursor) {
          const found = /^r([0-9a-z]{1,10})\.(.+)$/.exec(cursor);
          const at = Number.parseInt(found?.[1] ?? "", 36);
          // Accepted only in the exact form in which it was issued.
          return found?.[2] === tag && at.toString(36) === found[1] ? at : fail("WATCH_CURSOR_INVALID");
        },
      };
    },
    cursorsOf(tenantId, runId) {
      const tag = mac(["cursor", tenantId, runId]).subarray(0, TAG_BYTES).toString("base64url");
      return {
        toCursor: (sequence, ended = false) => `${ended ? "e" : "s"}${sequence.toString(36)}.${tag}`,
        fromCursor(cursor) {
          const found = /^([es])([0-9a-z]{1,7})\.(.+)$/.exec(cursor);
          const sequence = Number.parseInt(found?.[2] ?? "", 36);
          if (found?.[3] !== tag || sequence.toString(36) !== found[2]) return fail("WATCH_CURSOR_INVALID");
          return { sequence, ended: found[1] === "e" };
        },
      };
    },
  };
}
