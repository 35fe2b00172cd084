/** Origin that a URL targets; empty if it cannot be parsed. */
export function originOf(text: string): string {
  const url = URL.parse(text);
  return url === null || url.host === "" ? "" : url.origin;
}
