/** References to secrets: `secret://name` stands where a value would. */

const PREFIX = "secret://";

/** How the variables of secrets begin. */
const SECRET_VARIABLES = "ORCHESTRATOR_SECRET_";

/** Names of secrets: what a file in a folder of secrets may be called. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The name in a reference; null if the text is no reference, or one that names nothing. */
export function secretNameOf(text: string): string | null {
  if (!text.startsWith(PREFIX)) return null;
  const name = text.slice(PREFIX.length);
  return NAME.test(name) ? name : null;
}

/** The variable of a secret. */
export function secretVariable(name: string): string {
  return `${SECRET_VARIABLES}${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
