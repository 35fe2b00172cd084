/** Tables in the pages of the folder that say what the source says. */
import { ALERT_GROUPS } from "./alerts/index.ts";
import { type Alert, realTime, type Severity } from "./rule.ts";

/** The most urgent first; those of merged systems come after ours. */
const ORDER: Readonly<Record<Severity, number>> = { page: 0, critical: 1, ticket: 2, warning: 3, info: 4 };

const MARKS = /(<!-- alerts -->\n)[\s\S]*(<!-- end of alerts -->)/;

/** Puts the table of all alerts, by severity, between the marks of a page. Throws if the page has none. */
export function fillAlerts(page: string): string {
  if (!MARKS.test(page)) throw new Error("the page has no marks for the table of alerts");
  return page.replace(MARKS, (_, begin: string, end: string) => `${begin}\n${tabulateAlerts()}\n\n${end}`);
}

function tabulateAlerts(): string {
  const alerts = ALERT_GROUPS.flatMap((group) => group.alerts(realTime));
  return [
    "| alert | severity | after | means for users | what to do |",
    "|---|---|---|---|---|",
    ...alerts.toSorted((a, b) => ORDER[a.severity] - ORDER[b.severity]).map(toRow),
  ].join("\n");
}

function toRow({ name, severity, impact, ...alert }: Alert): string {
  const after = alert.for === "0s" ? "at once" : alert.for;
  return `| ${name} | ${severity} | ${after} | ${impact} | [runbook](runbook.md#${name.toLowerCase()}) |`;
}
