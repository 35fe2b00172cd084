import { expect, test } from "vitest";
import { readSourceFiles, type SourceFile } from "./source-files.ts";

/** A node of the syntax tree, as far as it is looked at here. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Visits every node below `node` together with the innermost statement that it stands in. */
function walk(node: Node, statement: Node, visit: (node: Node, statement: Node) => void): void {
  visit(node, statement);
  const holdsStatements = /^(Program|BlockStatement|SwitchCase)$/.test(node.type);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) walk(child, holdsStatements ? child : statement, visit);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

/**
 * True for a `catch` that cannot look at what it caught (no parameter, or a function without one) and makes no error of
 * its own.
 */
function swallows(node: Node): boolean {
  if (node.type === "CatchClause") return node.param === null && !complains(node);
  if (node.type !== "CallExpression") return false;
  const { property } = node.callee as { property?: { name?: string } };
  const [handler] = node.arguments as readonly (Node & { params?: readonly unknown[] })[];
  return property?.name === "catch" && handler?.params?.length === 0;
}

/** True when an error follows: a `throw`, or a call of what makes one. */
function complains(clause: Node): boolean {
  let found = false;
  walk(clause, clause, (node) => {
    if (node.type === "ThrowStatement") found = true;
    if (node.type !== "CallExpression") return;
    const callee = node.callee as { name?: string; property?: { name?: string } };
    if (/^(fail|invalid|addIssue)$/.test(callee.name ?? callee.property?.name ?? "")) found = true;
  });
  return found;
}

/**
 * Catches of a file that say nothing about why silence is right: inside, at the end of the line, or above the
 * statement.
 */
function findSilent({ path, text, parsed }: SourceFile): readonly string[] {
  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length;
  const found: string[] = [];
  const program = parsed.program as unknown as Node;
  walk(program, program, (node, statement) => {
    if (!swallows(node)) return;
    const says = parsed.comments.some(
      (comment) =>
        (comment.start > node.start && comment.end < node.end) ||
        (comment.start >= node.end && lineOf(comment.start) === lineOf(node.end)) ||
        (comment.end <= statement.start && text.slice(comment.end, statement.start).trim() === ""),
    );
    if (!says) found.push(`${path}:${lineOf(node.start)}`);
  });
  return found;
}

test("a catch that drops what it caught says why silence is right", () => {
  expect(readSourceFiles().flatMap(findSilent)).toEqual([]);
});
