/**
 * Addresses of Redis as one text: `redis://` for one server, and `redis+sentinel://` for the primary that Sentinels
 * name; with `rediss` instead of `redis` over TLS.
 */

/** The primary of a service, as its Sentinels know it. */
export interface SentinelAddress {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The name under which the Sentinels know it. */
  readonly service: string;
  readonly database: number;
  /** User and password of the servers; empty: none. */
  readonly username: string;
  readonly password: string;
  /** Password of the Sentinels; empty: none. */
  readonly sentinelPassword: string;
  readonly tls: boolean;
}

const ONE = ["redis://", "rediss://"];
const SENTINEL = /^(rediss?)\+sentinel:\/\/(?:([^@/]*)@)?([^@/]+)\/([^/?#]+)(?:\/(\d+))?(?:\?([^#]*))?$/;
const CLUSTER = /^rediss?\+cluster:\/\//;
const DEFAULT_PORT = 26_379;

const FORMS =
  "expected a URL: redis://:password@host:6379/0, rediss:// with TLS, or redis+sentinel://:password@host:26379,host:26379/service/0";

/** What is wrong with an address; empty: nothing. */
export function findUrlProblem(text: string): string {
  if (CLUSTER.test(text))
    return "Redis Cluster is not supported; name one server, or Sentinels (docs/operate/redis.md)";
  if (ONE.some((scheme) => text.startsWith(scheme))) return URL.canParse(text) ? "" : FORMS;
  return parseSentinelUrl(text) === null ? FORMS : "";
}

/** Null: it is no address of Sentinels. */
export function parseSentinelUrl(text: string): SentinelAddress | null {
  const [, scheme, credentials = "", hosts = "", service = "", database = "0", query = ""] = SENTINEL.exec(text) ?? [];
  if (scheme === undefined) return null;
  const sentinels = hosts.split(",").map(toHost);
  const known = sentinels.filter((each) => each !== null);
  const more = new URLSearchParams(query);
  const isKnown = [...more.keys()].every((name) => name === "sentinel_password");
  const [username = "", password] = credentials.split(/:(.*)/s);
  const words = [service, username, password ?? ""].map(decode);
  if (known.length < sentinels.length || !isKnown || words.includes(null)) return null;
  return {
    sentinels: known,
    service: words[0] ?? "",
    database: Number(database),
    username: words[1] ?? "",
    password: words[2] ?? "",
    sentinelPassword: more.get("sentinel_password") ?? "",
    tls: scheme === "rediss",
  };
}

function toHost(text: string): { readonly host: string; readonly port: number } | null {
  const [, ip, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = ip ?? name;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}

/** Null: a `%` that stands for nothing. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not an address, which the caller says.
    return null;
  }
}
