/** Names in braces in a sentence. */
export type Named<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Named<Rest>
  : never;

/** Returns the sentence with the names in braces replaced by their details. */
export function fillSentence(text: string, details: Readonly<Record<string, string | number | boolean>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? ""));
}
