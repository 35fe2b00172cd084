/** What a query asks for, read by the grammar of Prometheus' own editor. */
import { parser } from "@prometheus-io/lezer-promql";

type Node = ReturnType<ReturnType<typeof parser.parse>["resolve"]>;

/** Series that a query takes. */
export interface Selector {
  readonly metric: string;
  /** Labels with their matchers: `=~"5.."`. */
  readonly matchers: ReadonlyMap<string, string>;
  /** The duration in brackets. */
  readonly range: string | null;
  /** Functions around it, from the inside: `rate`. */
  readonly functions: readonly string[];
  /** The aggregation that is nearest to it, with its labels. */
  readonly aggregation: { readonly operator: string; readonly by: readonly string[] } | null;
  /** Labels of all aggregations around it, and of the matching of operators. */
  readonly labels: readonly string[];
}

/** A query that was read. */
export interface ParsedQuery {
  /** Texts where the grammar does not hold. */
  readonly errors: readonly string[];
  readonly selectors: readonly Selector[];
  /** Whether it has another value for the case that one is missing. */
  readonly hasFallback: boolean;
}

/** Reads a query without variables. */
export function parseQuery(expr: string): ParsedQuery {
  const errors: string[] = [];
  const selectors: Selector[] = [];
  let hasFallback = false;
  const textOf = ({ from, to }: { readonly from: number; readonly to: number }): string => expr.slice(from, to);
  parser.parse(expr).iterate({
    enter(found) {
      if (found.type.isError) errors.push(`${expr.slice(0, found.from)}<here>${expr.slice(found.from)}`);
      if (found.name === "Or") hasFallback = true;
      if (found.name === "VectorSelector") selectors.push(readSelector(found.node, textOf));
    },
  });
  return { errors, selectors, hasFallback };
}

function readSelector(node: Node, textOf: (node: Node) => string): Selector {
  const matchers = new Map(
    (node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? []).map((matcher) => {
      const name = textOf(matcher.firstChild as Node);
      return [name, textOf(matcher).slice(name.length)];
    }),
  );
  const functions: string[] = [];
  const labels: string[] = [];
  let aggregation: Selector["aggregation"] = null;
  for (let around = node.parent; around !== null; around = around.parent) {
    if (around.name === "FunctionCall") functions.push(textOf(around.firstChild as Node));
    if (around.name !== "AggregateExpr") continue;
    const grouping = around.getChild("AggregateModifier")?.getChild("GroupingLabels");
    const by = (grouping?.getChildren("LabelName") ?? []).map(textOf);
    aggregation ??= { operator: textOf(around.firstChild as Node), by };
    labels.push(...by);
  }
  const metric = node.getChild("Identifier");
  const duration = node.parent?.name === "MatrixSelector" ? node.parent.getChild("DurationExpr") : null;
  return {
    metric: metric === null ? "" : textOf(metric),
    range: duration === null || duration === undefined ? null : textOf(duration),
    ...{ matchers, functions, aggregation, labels },
  };
}
