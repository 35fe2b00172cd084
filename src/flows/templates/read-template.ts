/** From the text of a file to a template, and what can be said of a text that is none. */
import type { Json, JsonObject } from "../../base/json/json.ts";
import { checkFlow } from "../check/check.ts";
import type { Served } from "../check/unserved.ts";
import { hashDocument, versionOf } from "../document/identity.ts";
import { readFlowSource } from "../document/parse.ts";
import type { FlowDocument } from "../document/schema.ts";
import type { FlowTemplate } from "../ports/templates.ts";

/** Reads a template. Errors: FLOW_SOURCE_INVALID, PAYLOAD_TOO_LARGE, FLOW_INVALID with all problems. */
export function readTemplate(source: string, served: Served): FlowTemplate {
  const { document, problems } = checkFlow(readFlowSource(source), served);
  problems.throwIfAny();
  const flow = document as FlowDocument;
  const { workflow } = flow;
  const hash = hashDocument(flow as Json);
  return {
    templateId: flow.id,
    version: versionOf(flow, hash),
    name: flow.name ?? flow.id,
    description: flow.description ?? "",
    category: flow.category ?? "",
    variables: flow.variables ?? [],
    taskCount: (workflow.tasks ?? workflow.states ?? []).length,
    source,
    document: flow as unknown as JsonObject,
    hash,
    approval: null,
  };
}

/** The id that a broken template most likely has: the one that it names, else the name of its file. */
export function likelyId(file: string, source: string): string {
  const name = file.replace(/\.[a-z]+$/, "");
  try {
    const { value } = readFlowSource(source);
    const { id } = (value ?? {}) as { readonly id?: unknown };
    return typeof id === "string" ? id : name;
  } catch {
    return name; // it cannot be parsed; the error of the file says why
  }
}

/**
 * Whether a text that is no valid template was meant as one: it names an id or a workflow. What is said of any other
 * text must not show what is in it.
 */
export function isMeantAsTemplate(source: string): boolean {
  try {
    const { value } = readFlowSource(source);
    return typeof value === "object" && value !== null && ("id" in value || "workflow" in value);
  } catch {
    // It cannot be parsed; its keys are looked for as they are written.
    return /(^|[{,])[ \t]*["']?(id|workflow)["']?[ \t]*:/m.test(source);
  }
}
