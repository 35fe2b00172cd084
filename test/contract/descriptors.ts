import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DescFile, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";

/** Top of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Contract files of our own, as paths under `contracts/`. */
export const CONTRACT_FILES = globSync("orchestrator/**/*.proto", { cwd: `${ROOT}contracts` }).sort();

async function readFile(path: string): Promise<DescFile> {
  const module: Record<string, unknown> = await import(`${ROOT}src/gen/${path.replace(/\.proto$/, "_pb.ts")}`);
  const file = Object.values(module).find(
    (value): value is DescFile => (value as DescFile | undefined)?.kind === "file",
  );
  if (file === undefined) throw new Error(`src/gen has no descriptor of ${path}`);
  return file;
}

/** Descriptors of every contract file, as the service imports them. */
export const FILES = await Promise.all(CONTRACT_FILES.map(readFile));

/** Every service of the contract. */
export const SERVICES: readonly DescService[] = FILES.flatMap((file) => file.services);

/** Every method of the contract, with its full name as title of a test. */
export const METHODS: readonly (readonly [string, DescMethod])[] = SERVICES.flatMap((service) =>
  service.methods.map((method) => [`${service.typeName}.${method.name}`, method] as const),
);

/** Every message of the contract, nested ones included. */
export const MESSAGES: readonly DescMessage[] = FILES.flatMap((file) => file.messages.flatMap(withNested));

function withNested(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(withNested)];
}

/** A message and every message that can occur in it. */
export function reachableFrom(message: DescMessage, seen = new Set<DescMessage>()): Set<DescMessage> {
  if (seen.has(message)) return seen;
  seen.add(message);
  for (const field of message.fields) {
    if (field.message !== undefined) reachableFrom(field.message, seen);
  }
  return seen;
}

/** Every message of ours that can occur in a request. */
export const REQUEST_MESSAGES: readonly DescMessage[] = [
  ...new Set(METHODS.flatMap(([, method]) => [...reachableFrom(method.input)])),
].filter((message) => message.typeName.startsWith("orchestrator."));
