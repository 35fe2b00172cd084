import { createHash } from "node:crypto";
import type { Json } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { FlowDocument } from "./schema.ts";

/** Identity of a flow: SHA-256 in hex of the canonical JSON (RFC 8785) of its document before defaults. */
export function hashDocument(document: Json): string {
  return createHash("sha256").update(canonicalJson(document)).digest("hex");
}

/**
 * Version of a document: as written, or derived from the content (`sha-` and twelve hex digits), so that a changed flow
 * without a version is a new version.
 */
export function versionOf(document: FlowDocument, hash: string): string {
  return document.version ?? `sha-${hash.slice(0, 12)}`;
}
