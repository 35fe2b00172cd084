/** HTTP dates (RFC 9110 §5.6.7): the current format, and the two obsolete ones that must be accepted. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH = MONTHS.join("|");
const TIME = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)";

const FORMS = [
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) (?<month>${MONTH}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(
    `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-(?<month>${MONTH})-(?<year>\\d\\d) ${TIME} GMT$`,
  ),
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>${MONTH}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Parses an HTTP date into milliseconds since the epoch; returns undefined for any other text. `now` resolves two-digit
 * years: at most 50 years ahead.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const [day, hour, minute, second] = [parts["day"], parts["hour"], parts["minute"], parts["second"]].map(Number);
    const month = MONTHS.indexOf(parts["month"] ?? "");
    const at = Date.UTC(toFullYear(parts["year"] ?? "", now), month, day, hour, minute, second);
    const date = new Date(at);
    const isReal = date.getUTCDate() === day && date.getUTCMonth() === month && date.getUTCHours() === hour;
    return isReal && Number(minute) < 60 && Number(second) <= 60 ? at : undefined;
  }
  return undefined;
}

function toFullYear(year: string, now: number): number {
  if (year.length === 4) return Number(year);
  const current = new Date(now).getUTCFullYear();
  const inThisCentury = current - (current % 100) + Number(year);
  return inThisCentury > current + 50 ? inThisCentury - 100 : inThisCentury;
}
