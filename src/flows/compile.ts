import type { FieldViolation } from "../base/errors.ts";
import type { JsonObject } from "../base/json/json.ts";
import { checkFlow } from "./check/check.ts";
import { ALL_SERVED, type Served } from "./check/unserved.ts";
import { type ParsedSource, parsedDocument, readFlowSource } from "./document/parse.ts";
import type { FlowDocument } from "./document/schema.ts";
import { type GraphCompiler, inlineGraphCompiler } from "./graph/graph-compiler.ts";
import type { Structure } from "./graph/structure.ts";
import type { Plan } from "./plan.ts";
import { planFlow } from "./planning/plan-flow.ts";
import { findWarnings } from "./warnings/list.ts";
import type { FlowWarning, FlowWorld } from "./warnings/warning.ts";

/** Where a flow comes from: YAML or JSON text, or a JSON document. */
export type FlowSource = { readonly text: string } | { readonly document: JsonObject };

/** A flow that may run. */
export interface CompiledFlow {
  readonly plan: Plan;
  /** The document as registered, before defaults. */
  readonly document: JsonObject;
  /** Nodes and connections of its LangGraph graph. */
  readonly structure: Structure;
  /** Warnings, for a caller who wants them. Without a world, those that need no service. */
  warnings(world?: FlowWorld): Promise<readonly FlowWarning[]>;
}

/** What checking a flow gives. */
export interface Verdict {
  /** None when it may be registered. */
  readonly problems: readonly FieldViolation[];
  /** What is accepted and suspicious; looked for only when there are no problems. */
  readonly warnings: readonly FlowWarning[];
}

/**
 * Compiles a flow. Throws FLOW_SOURCE_INVALID, PAYLOAD_TOO_LARGE, or FLOW_INVALID with all problems.
 * LangGraph is used through `compiler`; the default loads it into this process.
 */
export async function compileFlow(
  source: FlowSource,
  compiler: GraphCompiler = inlineGraphCompiler,
  served: Served = ALL_SERVED,
): Promise<CompiledFlow> {
  const parsed = readSource(source);
  const { document, problems } = checkFlow(parsed, served);
  problems.throwIfAny();
  const checked = document as FlowDocument;
  const structure = await compiler.structureOf(checked);
  return {
    plan: planFlow(checked, structure),
    document: checked as unknown as JsonObject,
    structure,
    warnings: (world) => findWarnings(checked, parsed, world),
  };
}

/** All problems of a flow; none when it may be registered. Throws FLOW_SOURCE_INVALID, with all errors of the syntax, when it cannot be read. */
export function validateFlow(source: FlowSource): readonly FieldViolation[] {
  return checkFlow(readSource(source)).problems.list();
}

/** All problems of a flow or, when there are none, its warnings. Throws as {@link validateFlow} does. */
export async function judgeFlow(source: FlowSource, world?: FlowWorld, served: Served = ALL_SERVED): Promise<Verdict> {
  const parsed = readSource(source);
  const { document, problems } = checkFlow(parsed, served);
  if (document === undefined) return { problems: problems.list(), warnings: [] };
  return { problems: [], warnings: await findWarnings(document, parsed, world) };
}

/** Plan of a document that was checked when it was registered. */
export async function compileCanonical(
  document: JsonObject,
  compiler: GraphCompiler = inlineGraphCompiler,
): Promise<Plan> {
  return compileStored(document, await compiler.structureOf(document as unknown as FlowDocument));
}

/** Plan of a document and of the structure that was kept beside it: needs no LangGraph. */
export function compileStored(document: JsonObject, structure: Structure): Plan {
  return planFlow(document as unknown as FlowDocument, structure);
}

/** Mermaid text of the flow's LangGraph graph. A `graph` flow is drawn as one box. */
export function drawFlow(document: JsonObject, compiler: GraphCompiler = inlineGraphCompiler): Promise<string> {
  return compiler.draw(document as unknown as FlowDocument);
}

function readSource(source: FlowSource): ParsedSource {
  if ("text" in source) return readFlowSource(source.text);
  return parsedDocument(source.document);
}
