/** The table of content rules: what each looks for, and what takes the place of what it finds. */

/** Families of rules; a policy may speak of a whole family. */
export type RuleFamily = "pii" | "secret" | "injection" | "size";

/** One rule. */
export interface ContentRule {
  readonly family: RuleFamily;
  /** Takes the place of a finding in a redacted text. */
  readonly label: string;
  /** What it finds, for people. */
  readonly text: string;
  /** Looked for only where a policy says so. */
  readonly onRequest?: true;
}

/** Every rule by its id, which begins with its family. The order decides between findings at the same place. */
export const CONTENT_RULES = {
  "size.text": { family: "size", label: "[TOO LONG]", text: "a text that is longer than the policy allows" },
  "secret.private_key": { family: "secret", label: "[PRIVATE KEY]", text: "a private key in PEM form" },
  "secret.url_password": { family: "secret", label: "[CREDENTIALS]", text: "user and password in a URL" },
  "secret.jwt": { family: "secret", label: "[JWT]", text: "a signed JSON Web Token" },
  "secret.api_token": { family: "secret", label: "[TOKEN]", text: "a token in the form of a known provider" },
  "secret.authorization": { family: "secret", label: "[TOKEN]", text: "a bearer or basic credential" },
  "secret.assignment": { family: "secret", label: "[SECRET]", text: "a random value behind a word such as password" },
  "pii.card": { family: "pii", label: "[CARD]", text: "a payment card number (issuer, length, Luhn)" },
  "pii.iban": { family: "pii", label: "[IBAN]", text: "an IBAN (country, length, mod 97)" },
  "pii.national_id": {
    family: "pii",
    label: "[NATIONAL ID]",
    text: "an identity number with a check digit: BR CPF, CN resident id, ES DNI and NIE, FI HETU, FR NIR, IT codice fiscale, SE personnummer",
  },
  "pii.us_ssn": { family: "pii", label: "[SSN]", text: "a US social security number in a possible range" },
  "pii.email": { family: "pii", label: "[EMAIL]", text: "an e-mail address" },
  "pii.phone": { family: "pii", label: "[PHONE]", text: "a telephone number in international form" },
  "pii.ip": { family: "pii", label: "[IP]", text: "an IPv4 or IPv6 address", onRequest: true },
  "injection.marker": { family: "injection", label: "[MARKER]", text: "role markers of chat templates" },
  "injection.override": { family: "injection", label: "[INSTRUCTION]", text: "an order to ignore instructions" },
  "injection.persona": { family: "injection", label: "[INSTRUCTION]", text: "an order to act without restrictions" },
  "injection.exfiltration": {
    family: "injection",
    label: "[INSTRUCTION]",
    text: "an order to reveal the prompt, or to send secrets away",
  },
} as const satisfies Readonly<Record<string, ContentRule>>;

/** Id of a rule. */
export type RuleId = keyof typeof CONTENT_RULES;

/** All ids, in the order of the table. */
export const RULE_IDS: readonly RuleId[] = Object.keys(CONTENT_RULES) as RuleId[];

/** What a rule has found in a text. It never carries the text. */
export interface Finding {
  readonly rule: RuleId;
  readonly kind: RuleFamily;
  /** UTF-16 positions, end exclusive. */
  readonly start: number;
  readonly end: number;
}
