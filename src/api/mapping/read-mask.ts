/** Field masks of requests: which fields of a response the caller wants. */
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../../base/errors.ts";
import { fail } from "../../base/errors.ts";
import type { PayloadForm } from "./payload.ts";

/** A compiled mask for a message type. */
export interface ReadMask {
  /** Whether the field or a part of it is wanted. Names are those of the contract (`task_counts`). */
  wants(field: string): boolean;
  /** Wanted form of the payload with the given name (`input`). */
  formOf(payload: string): PayloadForm;
  /** Clears unwanted fields. */
  prune(message: Message): void;
}

/** The mask for everything, with payloads as messages. */
const EVERYTHING: ReadMask = { wants: () => true, formOf: () => "message", prune() {} };

/** Cache of masks by type and paths, because the same few recur. */
const compiled = new Map<string, ReadMask>();
const MAX_COMPILED = 500;

/**
 * Compiles a mask; undefined means all fields except those of `without`. Error: INVALID_REQUEST with every unknown
 * path.
 */
export function parseReadMask(
  desc: DescMessage,
  mask: FieldMask | undefined,
  without: readonly string[] = [],
): ReadMask {
  if (mask === undefined) return without.length === 0 ? EVERYTHING : withoutFields(desc, without);
  const key = `${desc.typeName} ${mask.paths.join(",")}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const violations: FieldViolation[] = [];
  const tree = new Map<DescField, Tree | null>();
  for (const path of mask.paths) {
    const problem = addPath(desc, tree, path.split("."));
    if (problem !== null)
      violations.push({ field: "read_mask", description: `${JSON.stringify(path.slice(0, 200))}: ${problem}` });
  }
  if (violations.length > 0)
    fail(
      "INVALID_REQUEST",
      { problem: `read_mask: ${violations[0]?.description}`, field: "read_mask" },
      { violations },
    );
  const result = compileTree(desc, tree);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(key, result);
  return result;
}

/** Wanted fields and their wanted parts; null means all parts. */
type Tree = Map<DescField, Tree | null>;

function addPath(desc: DescMessage, tree: Tree, path: readonly string[]): string | null {
  const [name, ...rest] = path;
  const field = desc.fields.find((one) => one.name === name);
  if (field === undefined) return `${desc.name} has no field ${JSON.stringify(name)}`;
  if (rest.length === 0) {
    tree.set(field, null);
    return null;
  }
  if (field.fieldKind !== "message" || field.message.typeName.startsWith("google.protobuf."))
    return `${field.name} is not a message with fields of its own`;
  const below = tree.has(field) ? tree.get(field) : new Map<DescField, Tree | null>();
  if (below === null || below === undefined) return null;
  const problem = addPath(field.message, below, rest);
  if (problem === null) tree.set(field, below);
  return problem;
}

function compileTree(desc: DescMessage, tree: Tree): ReadMask {
  const names = new Set([...tree.keys()].map((field) => field.name));
  return {
    wants: (field) => names.has(field),
    formOf: (payload) => {
      if (names.has(`${payload}_json`)) return "json";
      if (names.has(payload)) return "message";
      return names.has(`${payload}_ref`) ? "ref" : "none";
    },
    prune: compilePrune(desc, tree),
  };
}

function withoutFields(desc: DescMessage, without: readonly string[]): ReadMask {
  const key = `${desc.typeName} -${without.join(",-")}`;
  let mask = compiled.get(key);
  if (mask === undefined) {
    const tree: Tree = new Map(
      desc.fields.filter((field) => !without.includes(field.name)).map((field) => [field, null]),
    );
    mask = compileTree(desc, tree);
    compiled.set(key, mask);
  }
  return mask;
}

/** Inspects the type once; a list of 500 runs is pruned 500 times. */
function compilePrune(desc: DescMessage, tree: Tree): (message: Message) => void {
  // Payloads are oneofs; the mapping sets them in the wanted form or not at all.
  const unwanted = desc.fields
    .filter((field) => !tree.has(field) && field.oneof === undefined)
    .map((field) => ({ name: field.localName, empty: emptyOf(field) }));
  const inner = [...tree].flatMap(([field, below]) =>
    below === null || field.fieldKind !== "message"
      ? []
      : [{ name: field.localName, prune: compilePrune(field.message, below) }],
  );
  return (message) => {
    const fields = message as unknown as Record<string, unknown>;
    for (const { name, empty } of unwanted) fields[name] = empty;
    for (const { name, prune } of inner) {
      const part = fields[name] as Message | undefined;
      if (part !== undefined) prune(part);
    }
  };
}

/** Shared by all messages: responses are not modified. */
function emptyOf(field: DescField): unknown {
  switch (field.fieldKind) {
    case "list":
      return Object.freeze([]);
    case "map":
      return Object.freeze({});
    case "message":
      return undefined;
    case "enum":
      return 0;
    default:
      return field.getDefaultValue?.() ?? scalarZero(field);
  }
}

function scalarZero(field: DescField & { fieldKind: "scalar" }): unknown {
  switch (field.scalar) {
    case 9:
      return "";
    case 8:
      return false;
    case 12:
      return new Uint8Array();
    case 3:
    case 4:
      return 0n;
    default:
      return 0;
  }
}
