/**
 * Descriptions of the patterns in the contract. A pattern without one fails at startup: callers never see a regular
 * expression.
 */
const PATTERN_RULES: Readonly<Record<string, string>> = {
  "^[!-~]*$": "must contain only printable characters without spaces",
  "^[0-9a-f]{64}$": "must be a SHA-256 hash: 64 lowercase hexadecimal digits",
  "^([0-9a-f]{64})?$": "must be a SHA-256 hash: 64 lowercase hexadecimal digits",
  "^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$":
    "must start with a letter or a digit and contain only letters, digits, `.`, `_`, and `-`, at most 100 characters",
  "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$":
    "must start with a letter or a digit and contain only letters, digits, `.`, `_`, and `-`, at most 128 characters",
  "^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$":
    "must start with a letter or a digit and contain only letters, digits, `.`, `_`, and `-`, at most 128 characters",
  "^([A-Za-z0-9._-]{1,128}/[^\\s\\x00-\\x1f\\x7f]{1,255})?$":
    "must be a provider, `/`, and a model without blanks, such as openai/gpt-5",
  "^(https?://[^/?#@\\s\\x00]{1,300})?$": "must be an origin, such as https://billing.example:8443, without a path",
  "^[a-z0-9_-]{0,64}$": "must contain only lowercase letters, digits, `_`, and `-`, at most 64 characters",
  "^[a-zA-Z0-9._~-]{0,256}$": "must contain only letters, digits, `.`, `_`, `~`, and `-`, at most 256 characters",
  "^[A-Za-z0-9._-]{1,249}$": "must have 1 to 249 letters, digits, and . _ -",
  "^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$":
    "must start with a letter or a digit and contain only letters, digits, `.`, `_`, `/`, and `-`, at most 63 characters",
  "^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})?$":
    "must start with a letter or a digit and contain only letters, digits, `.`, `_`, `/`, and `-`, at most 63 characters",
  "^(create_time( asc| desc)?)?$": 'must be "create_time", "create_time asc", or "create_time desc"',
  "^[!-~]{0,120}$": "must contain only printable ASCII characters without spaces, at most 120",
  "^[!-~]{0,128}$": "must contain only printable ASCII characters without spaces, at most 128",
  "^[!-~]{1,256}$": "must contain only printable ASCII characters without spaces, 1 to 256",
  "^[^\\x00]*$": "contains the character NUL",
  "^[^\\x00-\\x1f\\x7f]*$": "contains control characters",
  "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)?$": "must be GET, HEAD, POST, PUT, PATCH, DELETE, or OPTIONS",
  "^(api|store|engine|flows|gate|models|services|triggers|kafka|redis|webhooks)?$":
    "must be api, store, engine, flows, gate, models, services, triggers, kafka, redis, or webhooks",
  "^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$": "must be a UUID in lower case",
};

/** The words for a pattern. */
export function describePattern(source: string): string {
  // The source of a regular expression has slashes escaped.
  const words = PATTERN_RULES[source.replaceAll("\\/", "/")];
  if (words === undefined) throw new Error(`the pattern ${source} has no description in PATTERN_RULES`);
  return words;
}
