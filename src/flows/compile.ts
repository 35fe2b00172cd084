import type { FieldViolation } from "../base/errors.ts";
import type { JsonObject } from "../base/json/json.ts";
import { checkFlow } from "./check/check.ts";
import { checkDeclared, listLimits, type NamedLimit } from "./check/flow-limits.ts";
import { ALL_SERVED, type Served } from "./check/unserved.ts";
import { type ParsedSource, parsedDocument, readFlowSource } from "./document/parse.ts";
import type { Problems } from "./document/problems.ts";
import type { FlowDocument } from "./document/schema.ts";
import { type GraphCompiler, inlineGraphCompiler } from "./graph/graph-compiler.ts";
import type { Structure } from "./graph/structure.ts";
import type { Plan } from "./plan.ts";
import { planFlow } from "./planning/plan-flow.ts";
import { findWarnings } from "./warnings/list.ts";
import type { FlowWarning, FlowWorld } from "./warnings/warning.ts";

/** Source of a flow: YAML or JSON text, or a JSON document. */
export type FlowSource = { readonly text: string } | { readonly document: JsonObject };

/** A flow that passed all checks. */
export interface CompiledFlow {
  readonly plan: Plan;
  /** The document as registered, before defaults. */
  readonly document: JsonObject;
  /** Nodes and edges of its LangGraph graph. */
  readonly structure: Structure;
  /** Limits that its tasks name. */
  readonly limits: readonly NamedLimit[];
  /** The problems that are left when only these limits are declared at the service. */
  checkDeclared(declared: ReadonlySet<string>): Problems;
  /** Computes the warnings, for callers that want them. Without a world, only those that need no service. */
  warnings(world?: FlowWorld): Promise<readonly FlowWarning[]>;
}

/** The result of checking a flow. */
export interface Verdict {
  /** Empty if the flow may be registered. */
  readonly problems: readonly FieldViolation[];
  /** What is accepted but suspicious; computed only if there are no problems. */
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
  const limits = listLimits(checked);
  return {
    limits,
    checkDeclared: (declared) => {
      checkDeclared(limits, declared, problems);
      return problems;
    },
    plan: planFlow(checked, structure),
    document: checked as unknown as JsonObject,
    structure,
    warnings: (world) => findWarnings(checked, parsed, world),
  };
}

/**
 * Returns all problems of a flow; none if it may be registered. Throws FLOW_SOURCE_INVALID, with all syntax errors, if
 * it cannot be parsed.
 */
export function validateFlow(source: FlowSource): readonly FieldViolation[] {
  return checkFlow(readSource(source)).problems.list();
}

/** Returns all problems of a flow or, if there are none, its warnings. Throws like {@link validateFlow}. */
export async function judgeFlow(source: FlowSource, world?: FlowWorld, served: Served = ALL_SERVED): Promise<Verdict> {
  const parsed = readSource(source);
  const { document, problems } = checkFlow(parsed, served);
  if (document === undefined) return { problems: problems.list(), warnings: [] };
  return { problems: [], warnings: await findWarnings(document, parsed, world) };
}

/** Compiles a document and its stored structure, without LangGraph. */
export function compileStored(document: JsonObject, structure: Structure): Plan {
  return planFlow(document as unknown as FlowDocument, structure);
}

/** Returns the Mermaid text of the flow's LangGraph graph. A `graph` flow is drawn as one box. */
export function drawFlow(document: JsonObject, compiler: GraphCompiler = inlineGraphCompiler): Promise<string> {
  return compiler.draw(document as unknown as FlowDocument);
}

function readSource(source: FlowSource): ParsedSource {
  if ("text" in source) return readFlowSource(source.text);
  return parsedDocument(source.document);
}
