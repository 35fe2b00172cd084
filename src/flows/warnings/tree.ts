/** Expressions as the type check reads them: a small syntax tree of its own, so that it does not depend on who parses. */
import { parse } from "@bufbuild/cel";

/** A node. */
export type Tree =
  | { readonly kind: "constant"; readonly value: string | bigint | number | boolean | null | undefined }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "select"; readonly operand: Tree; readonly field: string; readonly test: boolean }
  | { readonly kind: "call"; readonly name: string; readonly target: Tree | null; readonly args: readonly Tree[] }
  | { readonly kind: "list"; readonly elements: readonly Tree[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [Tree, Tree])[] }
  | Loop
  | { readonly kind: "unknown" };

/** A macro that loops. */
export interface Loop {
  readonly kind: "loop";
  /** What it gives: a boolean, a list, or whatever. */
  readonly gives: "bool" | "list" | "any";
  readonly range: Tree;
  readonly variable: string;
  /** Name of the value so far. */
  readonly accumulator: string;
  readonly step: Tree;
}

type Expr = ReturnType<typeof parse>["expr"];

const UNKNOWN: Tree = { kind: "unknown" };

/** The tree of an expression that compiles; undefined when it does not. */
export function readTree(source: string): Tree | undefined {
  try {
    return toTree(parse(source).expr);
  } catch {
    return undefined; // registration says why
  }
}

/** Every node, parents first. */
export function* nodesOf(tree: Tree): Generator<Tree> {
  yield tree;
  switch (tree.kind) {
    case "select":
      yield* nodesOf(tree.operand);
      break;
    case "call":
      if (tree.target !== null) yield* nodesOf(tree.target);
      for (const arg of tree.args) yield* nodesOf(arg);
      break;
    case "list":
      for (const element of tree.elements) yield* nodesOf(element);
      break;
    case "map":
      for (const [key, value] of tree.entries) {
        yield* nodesOf(key);
        yield* nodesOf(value);
      }
      break;
    case "loop":
      yield* nodesOf(tree.range);
      yield* nodesOf(tree.step);
      break;
    default:
  }
}

function toTree(expr: Expr | undefined): Tree {
  const kind = expr?.exprKind;
  switch (kind?.case) {
    case "constExpr":
      return toConstant(kind.value.constantKind);
    case "identExpr":
      return { kind: "name", name: kind.value.name };
    case "selectExpr": {
      const { operand, field, testOnly } = kind.value;
      return { kind: "select", operand: toTree(operand), field, test: testOnly };
    }
    case "callExpr": {
      const { function: name, target, args } = kind.value;
      return { kind: "call", name, target: target === undefined ? null : toTree(target), args: args.map(toTree) };
    }
    case "listExpr":
      return { kind: "list", elements: kind.value.elements.map(toTree) };
    case "structExpr":
      return {
        kind: "map",
        entries: kind.value.entries.map((entry) => [
          entry.keyKind.case === "mapKey" ? toTree(entry.keyKind.value) : UNKNOWN,
          toTree(entry.value),
        ]),
      };
    case "comprehensionExpr": {
      const { iterRange, iterVar, accuVar, accuInit, loopStep } = kind.value;
      const start = toTree(accuInit);
      const gives = start.kind === "list" ? "list" : start.kind === "constant" ? "bool" : "any";
      return {
        kind: "loop",
        gives,
        range: toTree(iterRange),
        variable: iterVar,
        accumulator: accuVar,
        step: toTree(loopStep),
      };
    }
    default:
      return UNKNOWN;
  }
}

function toConstant({ case: kind, value }: { case: string | undefined; value?: unknown }): Tree {
  if (kind === "nullValue") return { kind: "constant", value: null };
  if (kind === "uint64Value" || kind === "bytesValue") return UNKNOWN;
  if (typeof value === "string" || typeof value === "bigint" || typeof value === "number" || typeof value === "boolean")
    return { kind: "constant", value };
  return UNKNOWN;
}
