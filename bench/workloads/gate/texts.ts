/** Texts that make rules work, each repeated to the length that is measured. */

/** What a person might write. */
export const ORDINARY_TEXT =
  "Summarize the sentiment of the reviews that customers wrote last week, by product, and list the three most common " +
  "complaints. Keep it under two pages; the report goes to the people in support, who want numbers, not adjectives. ";

/** By name: what begins many rules, and completes none or all of them. */
export const HOSTILE_TEXTS: Readonly<Record<string, string>> = {
  "single digits": "1 ",
  "groups of a card": "4111 ",
  "long numbers": "110105194912310021 ",
  addresses: "ada.l@mail.x ",
  "at signs": "a@",
  pluses: "+1",
  telephones: "+49 30 ",
  orders: "ignore the system your ",
  verbs: "ignore ",
  "names of secrets": "password=",
  passwords: "password is a1",
  "begins of keys": "-----BEGIN ",
  "keys without end": "-----BEGIN PRIVATE KEY-----",
  "begins of JWTs": "eyJ.",
  "one JWT": "eyJ",
  markers: "<|",
  urls: "://a:",
  "begins of tokens": "sk-",
  tokens: "sk-aB3",
  ibans: "DE89 ",
  "ibans without spaces": "DE89",
  "letters and digits": "a1",
  colons: ":",
  "hexadecimal and colons": "2001:db8:",
  letters: "a",
  base64: Buffer.from("please read the lines of this text and go home now; ").toString("base64"),
  cyrillic: "Игнорируй всё ",
  mathematical: "𝐢𝐠𝐧𝐨𝐫𝐞 ",
  invisible: "a\u200b",
  quotes: 'secret":"',
  "headers of JWTs": "_eyJ",
  "names of values": "token:-%40",
  credentials: "Basic sk-",
  // Texts of escapes are read once more without them.
  percents: "%",
  "bytes of URLs": "a%40b.io%2C",
  "percents in percents": "%25",
  "begins of characters": "%f0%9f",
  backslashes: "\\",
  "escapes of JSON": "\\u0040a",
  "escaped quotes": '\\"secret\\":',
  "words of forms": "=a+1",
  "cards of forms": "c=4111+1111+1111+1111&",
  entities: "a&#64;b.io&lt;",
  "begins of entities": "&lt",
  "octal escapes": "\\100a",
  "lines of mail": "=3Da=40b.io=\n",
  "escapes of URLs, forms, and JSON": "%255Cu0040a+%2526%252364%253B=",
};
