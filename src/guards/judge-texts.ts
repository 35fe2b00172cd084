/** Judges the texts of a value by the rules of a policy. */
import type { Json } from "../base/json/json.ts";
import { mapTexts, redact, textsOf } from "./content/redact.ts";
import type { RuleId } from "./content/rules.ts";
import type { ContentScanner } from "./content/scan.ts";
import type { TextRules } from "./policy/calls.ts";

/** What a rule has found, and where in the value, as an expression writes it. */
export interface FoundAt {
  readonly rule: RuleId;
  readonly place: string;
}

/** What the rules say of a value: it is denied, or what is asked first, and what takes its place. */
export type JudgedTexts =
  | { readonly denied: FoundAt }
  | {
      readonly denied: null;
      readonly asked: readonly FoundAt[];
      /** Null: the value stays. */
      readonly redacted: { readonly rules: readonly RuleId[]; readonly value: Json } | null;
    };

/** Longest place that is shown, characters. */
const MAX_PLACE = 200;

/** Judges every text, keys included; those are not redacted. `what`: names the value as a whole. */
export function judgeTexts(value: Json, rules: TextRules, scanner: ContentScanner, what: string): JudgedTexts {
  const { withIp, actionOf } = rules;
  // A place has the keys of the value, which may be what a rule looks for.
  const show = (place: string): string => redact(place, scanner.scan(place, { withIp: true })).slice(0, MAX_PLACE);
  const asked: FoundAt[] = [];
  const redacted = new Set<RuleId>();
  const hidden = new Map<string, string>();
  for (const { text, path } of textsOf(value)) {
    const findings = scanner.scan(text, { withIp });
    for (const { rule } of findings) {
      const action = actionOf(rule);
      const place = path === "" ? what : show(path);
      if (action === "deny") return { denied: { rule, place } };
      if (action === "ask" && !asked.some((one) => one.rule === rule && one.place === place))
        asked.push({ rule, place });
    }
    const hiding = findings.filter(({ rule }) => actionOf(rule) === "redact");
    if (hiding.length > 0) hidden.set(text, redact(text, hiding));
    for (const { rule } of hiding) redacted.add(rule);
  }
  if (hidden.size === 0) return { denied: null, asked, redacted: null };
  const replaced = mapTexts(value, (text) => hidden.get(text) ?? text);
  return { denied: null, asked, redacted: { rules: [...redacted], value: replaced } };
}
