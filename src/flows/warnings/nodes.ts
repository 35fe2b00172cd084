import type { Expr } from "../expressions/language/syntax.ts";

/** Every node of a tree, parents first. */
export function* nodesOf(tree: Expr): Generator<Expr> {
  yield tree;
  for (const part of partsOf(tree)) yield* nodesOf(part);
}

function partsOf(tree: Expr): readonly Expr[] {
  switch (tree.kind) {
    case "select":
      return [tree.operand];
    case "call":
      return tree.target === null ? tree.args : [tree.target, ...tree.args];
    case "list":
      return tree.elements;
    case "map":
      return tree.entries.flat();
    case "loop":
      return [tree.range, tree.accumulator?.start, tree.condition, tree.step].filter((part) => part != null);
    default:
      return [];
  }
}
