/** The last warnings and errors, as the log has them, for those who have no log at hand. */

const MAX_LINES = 500;
/** Characters of all lines together. */
const MAX_LENGTH = 262_144;

export class RecentLines {
  readonly #lines: string[] = [];
  #length = 0;

  add(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    while (this.#lines.length > MAX_LINES || (this.#length > MAX_LENGTH && this.#lines.length > 1))
      this.#length -= this.#lines.shift()?.length ?? 0;
  }

  /** The oldest first, with the line breaks of the log. */
  text(): string {
    return this.#lines.join("");
  }
}
