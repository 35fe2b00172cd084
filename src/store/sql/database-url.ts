import { fail } from "../../base/errors.ts";

/**
 * A `DATABASE_URL` as `pg` understands it. Takes `postgres://`, `postgresql://` and the forms of SQLAlchemy with a driver in the scheme
 * (`postgresql+asyncpg://`, its `ssl=` becomes `sslmode=`). `sslmode` means what libpq means by it: `require` encrypts without checking the
 * certificate, `verify-full` checks it. Throws CONFIG_INVALID that never prints the password.
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
