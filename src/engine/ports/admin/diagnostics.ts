/** What this process tells those who have to find out why it does what it does. */

/** A text with a name. It has no secrets and no payloads. */
export interface DiagnosticText {
  readonly name: string;
  readonly content: string;
}

/** The texts of this process. */
export interface Diagnostics {
  readonly instanceId: string;
  /** Of this process. What cannot be read says why in its place. */
  ofInstance(): Promise<readonly DiagnosticText[]>;
  /** Of the database. */
  ofDatabase(): Promise<readonly DiagnosticText[]>;
}
