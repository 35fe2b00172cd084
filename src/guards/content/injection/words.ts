/**
 * The words that rules look for, as classes of bits. A word is looked up by a hash of a few of its letters, so that
 * other words cost one look into a table.
 */

const names = [
  ...[
    "ignore",
    "earlier",
    "every",
    "order",
    "reveal",
    "your",
    "hidden",
    "prompt",
    "send",
    "credential",
    "place",
    "act",
  ],
  ...["are", "persona", "developer", "mode", "without", "limit", "above", "and", "everything", "told", "not"],
] as const;

/** A class of words. */
export type WordClass = (typeof names)[number];

/** Bit of each class. */
export const BITS: Readonly<Record<WordClass, number>> = Object.fromEntries(
  names.map((name, index) => [name, 1 << index]),
) as Record<WordClass, number>;

/** Words of each class. Accents are folded before. */
const PHRASE_WORDS: Readonly<Record<WordClass, string>> = {
  ignore:
    "ignore ignoring disregard disregarding forget override overrule bypass neglect discard dismiss ignoriere ignoriert ignorieren vergiss missachte ignorez oublie oubliez ignora ignorad ignorar olvida olvide olvidar descarta ignorate dimentica dimenticare esqueca esquece desconsidere negeer vergeet zignoruj",
  earlier:
    "previous prior above earlier preceding foregoing former original initial existing safety system developer vorherigen vorherige bisherigen bisherige vorigen obigen obige vorangegangenen precedentes precedente precedents anteriores anterior previas previos previa precedenti precedente eerdere vorige poprzednie",
  every: "all any every these those alle allen toutes tous todas todos tutte tutti las",
  order:
    "instructions instruction rules rule guidelines guideline prompt prompts directives directive constraints restrictions programming guardrails safeguards commands anweisungen anweisung regeln vorgaben consignes consigne regles instrucciones reglas indicaciones istruzioni regole instrucoes regras instructies regels instrukcje",
  reveal:
    "reveal print show repeat output leak display disclose expose dump recite tell give share summarize summarise translate zeige zeig nenne gib verrate affiche montre revele donne muestra revela imprime dime mostra rivela stampa mostre revele",
  your: "your yours dein deine deinen deiner ihren ton tes votre vos tus sus tuo tua tue tuoi seu sua suas",
  hidden: "system hidden secret systemprompt",
  prompt:
    "prompt prompts preprompt instructions anweisungen systemprompt consignes instrucciones istruzioni instrucoes instructies",
  send: "send post upload forward email exfiltrate transmit transfer leak submit append schicke sende envia envoie invia envie",
  credential:
    "credentials passwords secrets tokens keys cookies conversation env passwd zugangsdaten passworter contrasenas credenciales credenziali",
  place: "http https ftp webhook attacker pastebin ngrok",
  act: "act pretend become roleplay behave simulate respond answer operate imagine",
  are: "are",
  persona: "dan jailbreak jailbroken unrestricted unfiltered uncensored unaligned amoral aim stan",
  developer: "developer dev god debug dan sudo jailbreak",
  mode: "mode",
  without: "without any free",
  limit: "restrictions limitations limits filters censorship guardrails safeguards guidelines ethics morals rules",
  above: "above",
  and: "and",
  everything: "everything alles todo tout tutto",
  told: "told above before said know previous previously learned earlier",
  not: "not never don cannot nicht niemals pas jamais nunca non",
};

/** What else a word may begin. */
export const NO_ACTION = 0;
export const PASSWORD_WORD = 1;
export const TOKEN_WORD = 2;
/** A token where a word of the next kind stands before it. */
export const KEY_WORD = 3;
export const KEY_PREFIX = 4;
export const BEARER_WORD = 5;
export const BASIC_WORD = 6;
export const BEGIN_WORD = 7;
export const ROLE_WORD = 8;

const ACTION_WORDS: readonly (readonly [number, string])[] = [
  [
    PASSWORD_WORD,
    "password passwd passphrase pwd pass passwort kennwort contrasena motdepasse dbpassword userpassword adminpassword pgpassword rootpassword",
  ],
  [
    TOKEN_WORD,
    "token secret apikey apikeys accesskey secretkey privatekey accountkey clientsecret authtoken accesstoken refreshtoken apitoken bearertoken signingkey encryptionkey secretaccesskey sharedaccesskey apisecret appsecret",
  ],
  [KEY_WORD, "key"],
  [KEY_PREFIX, "api access private account encryption signing auth master hmac shared"],
  [BEARER_WORD, "bearer"],
  [BASIC_WORD, "basic"],
  [BEGIN_WORD, "begin"],
  [ROLE_WORD, "system instruction assistant"],
];

/** A word of the table. */
interface KnownWord {
  readonly text: string;
  readonly mask: number;
  readonly action: number;
}

/** Shortest word of the table, letters. */
export const SHORTEST = 3;

/** Slots of the table. */
const SLOTS = 8_192;

/** The words by slot. */
export interface WordTable {
  /** 1 + index of the first word of a slot; 0: there is none. */
  readonly slots: Uint16Array;
  readonly words: readonly KnownWord[];
  /** Index of the next word of the same slot; -1: there is none. */
  readonly next: Int16Array;
}

/** Slot of the word from `start` to `end`: its first and last letter, in any case, and its length. */
export function slotAt(bytes: Uint8Array, start: number, end: number): number {
  return (((bytes[start] as number) & 31) << 8) | (((bytes[end - 1] as number) & 31) << 3) | ((end - start) & 7);
}

/** Builds the table. */
export function createWordTable(): WordTable {
  const masks = new Map<string, { mask: number; action: number }>();
  const of = (text: string): { mask: number; action: number } => {
    const word = masks.get(text) ?? { mask: 0, action: NO_ACTION };
    masks.set(text, word);
    return word;
  };
  for (const [name, words] of Object.entries(PHRASE_WORDS))
    for (const text of words.split(" ")) of(text).mask |= BITS[name as WordClass];
  for (const [action, words] of ACTION_WORDS) for (const text of words.split(" ")) of(text).action = action;
  const words = Array.from(masks, ([text, word]) => ({ text, ...word }));
  const slots = new Uint16Array(SLOTS);
  const next = new Int16Array(words.length).fill(-1);
  for (const [index, { text }] of words.entries()) {
    const slot = slotAt(Buffer.from(text), 0, text.length);
    next[index] = (slots[slot] as number) - 1;
    slots[slot] = index + 1;
  }
  return { slots, words, next };
}

/** The word from `start` to `end` if the table has it; `first` is what its slot has. */
export function findWord(
  { words, next }: WordTable,
  first: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): KnownWord | null {
  for (let index = first - 1; index >= 0; index = next[index] as number) {
    const word = words[index] as KnownWord;
    if (word.text.length === end - start && hasText(word.text, bytes, start)) return word;
  }
  return null;
}

function hasText(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++)
    if (((bytes[start + index] as number) | 32) !== text.charCodeAt(index)) return false;
  return true;
}
