/** Where a path of a task leads at a service. */
import type { NamedService } from "../services/directory.ts";
import { RequestRefused } from "./http-request.ts";

/** Segments that stand for the place itself and the one above it; some servers drop what follows a semicolon. */
const DOT_SEGMENT = /^\.{1,2}(;|$)/;

/** Characters that a server may decode before it reads a path. */
const ENCODED: Readonly<Record<string, string>> = { "%2e": ".", "%2f": "/", "%5c": "/" };

/**
 * The URL of a path at a service. Throws RequestRefused for paths that could lead elsewhere: parsers take a backslash
 * for a slash, two slashes for the beginning of a host, and `..` for the parent.
 */
export function urlAt({ name, baseUrl }: NamedService, path: string): URL {
  const refuse = (why: string): never => {
    throw new RequestRefused(`the path of a call of service ${name} ${why}`);
  };
  if (!path.startsWith("/")) refuse("has to begin with a slash");
  if (/[\u0000-\u0020\u007f]/.test(path)) refuse("holds blanks or control characters; encode them (%20)");
  if (path.includes("#")) refuse("holds a #; encode it (%23)");
  const query = path.indexOf("?");
  const place = query === -1 ? path : path.slice(0, query);
  if (place.includes("\\")) refuse("holds a backslash; encode it (%5C)");
  const decoded = place.replaceAll(/%(?:2e|2f|5c)/gi, (code) => ENCODED[code.toLowerCase()] ?? code);
  if (decoded.startsWith("//")) refuse("begins with two slashes");
  if (decoded.split("/").some((segment) => DOT_SEGMENT.test(segment))) refuse('holds a segment "." or ".."');
  const base = baseUrl.pathname === "/" ? "" : baseUrl.pathname;
  const url = URL.parse(`${baseUrl.origin}${base}${path}`);
  if (url === null || url.origin !== baseUrl.origin || !url.pathname.startsWith(`${base}/`))
    return refuse(`leads out of ${baseUrl.origin}${base}`);
  return url;
}
