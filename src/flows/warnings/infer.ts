/**
 * Infers types of expressions, bottom up. Reports what certainly fails or is always true or false; everything else is
 * `dyn`.
 */
import { suggest } from "../../tasks/schema/suggest.ts";
import type { Overload } from "../expressions/functions/function.ts";
import { findFunction, findMethod, NOW } from "../expressions/functions/functions.ts";
import type { Expr, LoopExpr } from "../expressions/language/syntax.ts";
import { kindOf } from "../expressions/values/values.ts";
import { DYN, describeType, joinTypes, mayEqual, mayFit, type Type, typeOfKind } from "./types.ts";
import type { WarningCode } from "./warning.ts";

/** What an expression can read, and where findings are reported. */
export interface TypeScope {
  /** Type of a name that is not a loop variable. */
  typeOf(name: string): Type;
  report(code: WarningCode, message: string, cure: string): void;
}

const SIGNS: Readonly<Record<string, string>> = { "_==_": "==", "_!=_": "!=", "@in": "in" };

/** Infers the type of an expression. Reports each finding once. */
export function inferType(tree: Expr, scope: TypeScope): Type {
  return new Inference(scope).infer(tree, new Map());
}

type Bound = ReadonlyMap<string, Type>;

class Inference {
  private readonly scope: TypeScope;

  constructor(scope: TypeScope) {
    this.scope = scope;
  }

  infer(tree: Expr, bound: Bound): Type {
    switch (tree.kind) {
      case "constant":
        return typeOfKind(kindOf(tree.value));
      case "name":
        return (tree.absolute ? undefined : bound.get(tree.name)) ?? this.scope.typeOf(tree.name);
      case "select":
        return this.select(this.infer(tree.operand, bound), tree.field, tree.test);
      case "list":
        return { kind: "list", element: joinAll(tree.elements.map((element) => this.infer(element, bound))) };
      case "map":
        return this.inferMap(tree.entries, bound);
      case "loop":
        return this.inferLoop(tree, bound);
      case "call":
        return this.inferCall(tree.name, tree.target, tree.args, bound);
      default:
        return DYN;
    }
  }

  private select(operand: Type, field: string, test: boolean): Type {
    if (operand.kind === "map") {
      const found = operand.fields.get(field) ?? operand.rest;
      if (found !== null) return test ? { kind: "bool" } : found;
      const known = [...operand.fields.keys()];
      if (!test)
        this.mismatch(`there is no "${field}"${suggest(field, known)}`, `it has ${known.join(", ") || "no fields"}`);
    } else if (!test && operand.kind !== "dyn" && operand.kind !== "null") {
      this.mismatch(`"${field}" is read from ${describeType(operand)}, which has no fields`, "read it from an object");
    }
    return test ? { kind: "bool" } : DYN;
  }

  private inferMap(entries: readonly (readonly [Expr, Expr])[], bound: Bound): Type {
    const fields = new Map<string, Type>();
    let isClosed = true;
    for (const [key, value] of entries) {
      this.infer(key, bound);
      const type = this.infer(value, bound);
      if (key.kind === "constant" && typeof key.value === "string") fields.set(key.value, type);
      else isClosed = false;
    }
    return isClosed ? { kind: "map", fields, rest: null } : typeOfKind("map");
  }

  private inferLoop({ macro, range, variable, accumulator, condition, step }: LoopExpr, bound: Bound): Type {
    const over = this.infer(range, bound);
    if (isGroup(over)) this.indexedGroup(over, "loops over");
    else if (over.kind !== "list" && over.kind !== "map" && over.kind !== "dyn" && over.kind !== "null")
      this.mismatch(`${macro} goes over ${describeType(over)}`, "give it a list, or an object for its keys");
    const inner = new Map(bound).set(variable, typeOfElement(over));
    if (accumulator !== null) {
      this.infer(accumulator.start, bound);
      inner.set(accumulator.name, DYN);
    }
    if (condition !== null) this.wantBoolean(this.infer(condition, inner), macro);
    const result = this.infer(step, inner);
    if (macro === "reduce") return DYN;
    return macro === "map" || macro === "filter" ? { kind: "list", element: result } : { kind: "bool" };
  }

  private inferCall(name: string, target: Expr | null, args: readonly Expr[], bound: Bound): Type {
    const operands = target === null ? args : [target, ...args];
    // `math.abs(x)`: the target is not a value.
    if (target?.kind === "name" && !bound.has(target.name)) {
      const definition = findFunction(`${target.name}.${name}`);
      if (definition !== undefined) {
        const given = args.map((arg) => this.infer(arg, bound));
        return this.call(definition.name, definition.overloads, given, args);
      }
    }
    const types = operands.map((operand) => this.infer(operand, bound));
    const [first = DYN, second = DYN, third = DYN] = types;
    switch (name) {
      case "_&&_":
      case "_||_":
        for (const type of types) this.wantBoolean(type, name === "_&&_" ? "&&" : "||");
        return { kind: "bool" };
      case "_?_:_":
        this.wantBoolean(first, "?");
        return joinTypes(second, third);
      case "_[_]":
        return this.index(first, second, operands[1] as Expr);
      case "_==_":
      case "_!=_":
        if (!mayEqual(first, second)) this.unequal(SIGNS[name] as string, first, second, operands);
        return { kind: "bool" };
      case "@in":
        return this.member(first, second);
      case NOW:
        return { kind: "timestamp" };
      default:
        return this.call(name, (target === null ? findFunction(name) : findMethod(name))?.overloads, types, operands);
    }
  }

  private index(operand: Type, key: Type, tree: Expr): Type {
    if (operand.kind === "list") {
      if (key.kind === "string")
        this.mismatch(`a list is indexed by ${describeType(key)}`, "give the position: list[0]");
      return operand.element;
    }
    if (operand.kind === "map") {
      if (isGroup(operand) && (key.kind === "int" || key.kind === "number")) this.indexedGroup(operand, "indexes");
      else if (operand.anyKeys !== true && !mayFit(key, "string"))
        this.mismatch(`an object is indexed by ${describeType(key)}`, 'its keys are text: object["key"]');
      else if (tree.kind === "constant" && typeof tree.value === "string")
        return this.select(operand, tree.value, false);
      return operand.rest ?? DYN;
    }
    if (operand.kind !== "dyn" && operand.kind !== "null")
      this.mismatch(`[…] reads from ${describeType(operand)}`, "only lists and objects have elements");
    return DYN;
  }

  private member(value: Type, range: Type): Type {
    if (isGroup(range)) this.indexedGroup(range, "looks into");
    else if (range.kind === "string") this.mismatch('"in" looks into text', "write text.contains(part)");
    else if (range.kind === "list" && !mayEqual(value, range.element))
      this.mismatch(
        `"in" looks for ${describeType(value)} in a list of others: always false`,
        "compare values of one type",
      );
    else if (range.kind !== "list" && range.kind !== "map" && range.kind !== "dyn" && range.kind !== "null")
      this.mismatch(`"in" looks into ${describeType(range)}`, "give it a list, or an object for its keys");
    return { kind: "bool" };
  }

  private call(
    name: string,
    overloads: readonly Overload[] | undefined,
    types: readonly Type[],
    operands: readonly Expr[],
  ): Type {
    if (name === "size" && types[0] !== undefined && isGroup(types[0])) this.indexedGroup(types[0], "counts");
    // A wrong number of arguments is a problem that registration reports.
    const signatures = overloads?.filter(({ params, variadic }) => variadic || params.length === types.length);
    if (signatures === undefined || signatures.length === 0) return DYN;
    const fitting = signatures.filter(({ params, variadic }) =>
      types.every((type, at) => mayFit(type, (variadic ? params.at(-1) : params[at]) as string)),
    );
    if (fitting.length > 0) return joinAll(fitting.map(({ result }) => typeOfKind(result)));
    const sign = /^_(.{1,2})_$/.exec(name)?.[1];
    if (sign !== undefined && types.length === 2) {
      const [left, right] = types as [Type, Type];
      this.mismatch(
        `"${sign}" between ${describeType(left)} and ${describeType(right)}`,
        cureOf(sign, left, right, operands),
      );
    } else if (name === "!_" || name === "-_")
      this.mismatch(
        `"${name[0]}" before ${describeType(types[0] as Type)}`,
        name === "!_" ? "it takes a boolean" : "it takes a number",
      );
    else
      this.mismatch(
        `${name} does not take ${types.map(describeType).join(", ")}`,
        "convert the values first, or pick another function",
      );
    return joinAll(signatures.map(({ result }) => typeOfKind(result)));
  }

  private wantBoolean(type: Type, sign: string): void {
    if (type.kind !== "bool" && type.kind !== "dyn" && type.kind !== "null")
      this.mismatch(`"${sign}" takes a boolean, not ${describeType(type)}`, 'compare it with something: value != ""');
  }

  private unequal(sign: string, left: Type, right: Type, operands: readonly Expr[]): void {
    this.mismatch(
      `"${sign}" compares ${describeType(left)} with ${describeType(right)}: always ${sign === "!="}`,
      cureOf(sign, left, right, operands),
    );
  }

  private indexedGroup({ group }: { readonly group: string }, verb: string): void {
    const name = /^[a-z_]\w*$/.test(group) ? group : `tasks["${group}"]`;
    this.scope.report(
      "GROUP_OUTPUT_MISREAD",
      `the expression ${verb} the output of "${group}", which is an object with the list "outputs"`,
      `read the list: ${name}.outputs`,
    );
  }

  private mismatch(message: string, cure: string): void {
    this.scope.report("EXPRESSION_TYPE_MISMATCH", message, cure);
  }
}

function isGroup(type: Type): type is Type & { readonly group: string } {
  return type.kind === "map" && type.group !== undefined;
}

function joinAll(types: readonly Type[]): Type {
  return types.length === 0 ? DYN : types.reduce(joinTypes);
}

function typeOfElement(over: Type): Type {
  if (over.kind === "list") return over.element;
  return over.kind === "map" && over.anyKeys !== true ? typeOfKind("string") : DYN;
}

/** How to make two operands compatible. */
function cureOf(sign: string, left: Type, right: Type, operands: readonly Expr[]): string {
  const kinds = [left.kind, right.kind];
  for (const operand of operands)
    if (operand.kind === "constant" && typeof operand.value === "string" && /^-?\d+(\.\d+)?$/.test(operand.value))
      return `write ${operand.value} without quotes`;
  if (sign === "+" && kinds.includes("string")) return "convert the other side: string(value)";
  if (kinds.includes("string")) return "convert one side: int(text), double(text) or string(value)";
  return "compare or combine values of one type";
}
