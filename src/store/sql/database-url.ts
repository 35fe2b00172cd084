import { fail } from "../../base/errors.ts";

/**
 * Converts a `DATABASE_URL` to the form that `pg` understands. Accepts `postgres://`, `postgresql://`, and SQLAlchemy's
 * forms with a driver in the scheme (`postgresql+asyncpg://`, whose `ssl=` becomes `sslmode=`). `sslmode` has the same
 * meaning as in libpq: `require` encrypts without checking the certificate, `verify-full` checks it. Throws
 * CONFIG_INVALID, which never contains the password.
 */
export function parseDatabaseUrl(text: string): string {
  const [, rest] = /^postgres(?:ql)?(?:\+[a-z0-9_]+)?:\/\/(.*)$/s.exec(text.trim()) ?? [];
  if (rest === undefined) invalid("it must begin with postgresql://");
  let url: URL;
  try {
    url = new URL(`postgresql://${rest}`);
  } catch {
    return invalid(
      "it is not a URL; write postgresql://user:password@host:5432/database and percent-encode special characters in the password",
    );
  }
  if (url.hostname === "" && !url.searchParams.has("host")) invalid("it names no host");
  if (url.pathname.length < 2) invalid("it names no database");
  const ssl = url.searchParams.get("ssl");
  if (ssl !== null && !url.searchParams.has("sslmode")) {
    url.searchParams.delete("ssl");
    url.searchParams.set("sslmode", ssl === "true" ? "require" : ssl === "false" ? "disable" : ssl);
  }
  if (url.searchParams.has("sslmode")) url.searchParams.set("uselibpqcompat", "true");
  return url.href;
}

function invalid(problem: string): never {
  return fail("CONFIG_INVALID", { problem: `the database URL: ${problem}` });
}
