/** Types of what expressions of a flow can read: declared variables, task outputs, elements of maps. */
import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import { TASK_TYPES } from "../../tasks/index.ts";
import type { ExecutableDocument, VariableDocument } from "../document/schema.ts";
import { parseExpression } from "../expressions/language/parser.ts";
import { type Expr, SyntaxProblem } from "../expressions/language/syntax.ts";
import { SLOT_ROOTS } from "../interpolation/references.ts";
import { splitText } from "../interpolation/template.ts";
import { inferType, type TypeScope } from "./infer.ts";
import { DYN, type MapType, OBJECT, type Type, typeOfSchema } from "./types.ts";
import type { FlowView, ViewedTask } from "./view.ts";

/** How far types are followed from task to task. */
const MAX_DEPTH = 40;

const STRING: Type = { kind: "string" };
const INT: Type = { kind: "int" };
/** `run`: values that callers choose freely have unknown types. */
const RUN: Type = {
  kind: "map",
  fields: new Map(
    ["run_id", "flow_id", "version", "tenant_id", "user_id", "correlation_id", "start_time", "state"].map((name) => [
      name,
      STRING,
    ]),
  ),
  rest: DYN,
};
const VARIABLES: Readonly<Record<NonNullable<VariableDocument["type"]>, Type>> = {
  string: STRING,
  number: { kind: "number" },
  integer: INT,
  boolean: { kind: "bool" },
  array: { kind: "list", element: DYN },
  object: OBJECT,
  any: DYN,
};

/** Parses an expression; undefined if it has a syntax error, which registration reports. */
export function parse(source: string): Expr | undefined {
  try {
    return parseExpression(source);
  } catch (cause) {
    if (cause instanceof SyntaxProblem) return undefined;
    throw cause;
  }
}

export class FlowTypes {
  private readonly view: FlowView;
  private readonly trees = new Map<string, Expr | undefined>();
  private readonly variables = new Map<string, Type>();
  private readonly tasks = new Map<string, Type>();
  /** `tasks` as an object whose fields are computed on demand. */
  private readonly taskFields: ReadonlyMap<string, Type>;
  private depth = 0;

  constructor(view: FlowView) {
    this.view = view;
    const fields = new Map<string, Type>();
    fields.get = (id) => (view.names.tasks.has(id) ? this.typeOfTask(id) : undefined);
    this.taskFields = fields;
    for (const { name, type = "any" } of view.document.variables ?? []) this.variables.set(name, VARIABLES[type]);
    for (const [name, value] of Object.entries(view.document.workflow.variables ?? {}))
      this.variables.set(name, this.typeOfTemplate(value as Json, []));
  }

  /** The tree of an expression. */
  treeOf(source: string): Expr | undefined {
    if (!this.trees.has(source)) this.trees.set(source, parse(source));
    return this.trees.get(source);
  }

  /** The type of an expression inside `maps`. */
  typeOfExpression(source: string, maps: readonly ExecutableDocument[], report: TypeScope["report"] = () => {}): Type {
    const tree = this.treeOf(source);
    if (tree === undefined || this.depth >= MAX_DEPTH) return DYN;
    this.depth++;
    try {
      return inferType(tree, { typeOf: (name) => this.typeOfName(name, maps), report });
    } finally {
      this.depth--;
    }
  }

  /** The type of a value that may contain expressions. */
  typeOfTemplate(value: Json, maps: readonly ExecutableDocument[]): Type {
    if (typeof value === "string") {
      const parts = value.includes("${") ? splitText(value) : [];
      const [only] = parts;
      if (typeof parts !== "string" && parts.length === 1 && typeof only === "object")
        return this.typeOfExpression(only.expression, maps);
      return STRING;
    }
    if (typeof value === "number") return Number.isInteger(value) ? INT : { kind: "double" };
    if (typeof value === "boolean") return { kind: "bool" };
    if (value === null) return { kind: "null" };
    if (Array.isArray(value)) {
      const [first] = value as readonly Json[];
      return { kind: "list", element: value.length === 1 ? this.typeOfTemplate(first as Json, maps) : DYN };
    }
    const fields = Object.entries(value).map(([key, part]) => [key, this.typeOfTemplate(part as Json, maps)] as const);
    return { kind: "map", fields: new Map(fields), rest: null };
  }

  private typeOfName(name: string, maps: readonly ExecutableDocument[]): Type {
    switch (name) {
      case "vars":
        return { kind: "map", fields: this.variables, rest: DYN };
      case "tasks":
        return { kind: "map", fields: this.taskFields, rest: DYN };
      case "run":
        return RUN;
      case "index":
        return INT;
      case "item":
        return this.typeOfItem(maps);
      default:
        if ((SLOT_ROOTS as readonly string[]).includes(name)) return DYN;
        return this.variables.get(name) ?? (this.view.names.tasks.has(name) ? this.typeOfTask(name) : DYN);
    }
  }

  private typeOfItem(maps: readonly ExecutableDocument[]): Type {
    const items = (maps.at(-1)?.parameters as Record<string, Json> | undefined)?.["items"];
    const type = items === undefined ? DYN : this.typeOfTemplate(items, maps.slice(0, -1));
    return type.kind === "list" ? type.element : DYN;
  }

  /**
   * The type of `tasks.id`. In an FSM a state may be visited again, so that its type may depend on itself: then it is
   * unknown.
   */
  private typeOfTask(id: string): Type {
    const known = this.tasks.get(id);
    if (known !== undefined) return known;
    this.tasks.set(id, DYN);
    const viewed = this.view.byId.get(id);
    const output = viewed === undefined ? DYN : this.typeOfOutput(viewed);
    const isGroup = viewed?.type === "map" || viewed?.type === "parallel";
    const outputs = isGroup && output.kind === "map" ? (output.fields.get("outputs") as Type) : DYN;
    const type: Type = {
      kind: "map",
      fields: new Map<string, Type>([
        ["output", isGroup ? ({ ...output, group: id } as MapType) : output],
        ["outputs", outputs],
        ["state", STRING],
        ["error", OBJECT],
        ["attempt", INT],
      ]),
      rest: DYN,
    };
    this.tasks.set(id, type);
    return type;
  }

  private typeOfOutput({ type, task, maps }: ViewedTask): Type {
    const parameters = (task.parameters ?? {}) as Record<string, Json>;
    switch (type) {
      case "transform":
        return this.typeOfTemplate(parameters["output"] ?? null, maps);
      case "noop":
        // A placeholder for a future task, whose output will be different.
        return DYN;
      case "http":
        return parameters["full_response"] === true ? FULL_RESPONSE : DYN;
      case "parallel":
      case "map":
        return { kind: "map", fields: new Map([["outputs", { kind: "list", element: DYN } as Type]]), rest: null };
      default:
        return typeOfSchema(resultSchema(type));
    }
  }
}

const FULL_RESPONSE: Type = {
  kind: "map",
  fields: new Map<string, Type>([
    ["status", INT],
    ["url", STRING],
    ["headers", OBJECT],
    ["body", DYN],
  ]),
  rest: null,
};

const schemas = new Map<string, Json>();

function resultSchema(type: ViewedTask["type"]): Json {
  let schema = schemas.get(type);
  if (schema === undefined) {
    schema = z.toJSONSchema(TASK_TYPES[type].result, { io: "output", unrepresentable: "any" }) as unknown as Json;
    schemas.set(type, schema);
  }
  return schema;
}
