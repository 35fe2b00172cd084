/** Checks what a model wrote: the checks of every registration, and that it leads only where it may. */
import { type FieldViolation, isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { compileStored } from "../compile.ts";
import { readFlowSource } from "../document/parse.ts";
import { Problems } from "../document/problems.ts";
import type { Plan } from "../plan.ts";
import type { FlowRegistry } from "../ports/registry.ts";
import type { TaskPlace } from "./allowed.ts";
import { checkReach } from "./reach.ts";
import { withId } from "./read-answer.ts";

/** A draft that may be approved. */
export interface GoodDraft {
  readonly text: string;
  readonly document: JsonObject;
  readonly plan: Plan;
  /** Hex SHA-256 of the canonical document. */
  readonly hash: string;
  readonly templateId: string;
}

/** What a check found. */
export type CheckedDraft =
  | { readonly draft: GoodDraft; readonly problems: readonly [] }
  | { readonly draft: null; readonly text: string; readonly problems: readonly FieldViolation[] };

export interface DraftChecks {
  readonly flows: Pick<FlowRegistry, "registerFlow">;
  /** Whether a template or a flow of the tenant has the id. */
  readonly isTaken: (tenantId: string, id: string) => Promise<boolean>;
}

/** Digits of the hash in the id of a draft whose own is taken. */
const SUFFIX_DIGITS = 8;
const MAX_ID = 64;

/**
 * Checks a draft. One whose id is taken gets another one, so that it replaces nothing; it never keeps problems because
 * of that.
 */
export async function checkDraft(
  { flows, isTaken }: DraftChecks,
  tenantId: string,
  text: string,
  allowed: readonly TaskPlace[],
): Promise<CheckedDraft> {
  const checked = await flows.registerFlow(tenantId, { text }, true).catch((error: unknown) => {
    // It cannot be parsed, or is too large: the model can fix that, but nothing that may pass.
    if (!isOrchestratorError(error) || error.retry !== "no") throw error;
    const problems = error.violations.length > 0 ? error.violations : [{ field: "", description: error.message }];
    return { flow: null, problems };
  });
  if (checked.flow === null) return { draft: null, text, problems: checked.problems };
  const { document, structure, hash, flowId: id } = checked.flow;
  const problems = new Problems(readFlowSource(text));
  checkReach(document, allowed, problems);
  if (!problems.isEmpty) return { draft: null, text, problems: problems.list() };
  if (!(await isTaken(tenantId, id)))
    return { draft: { text, document, plan: compileStored(document, structure), hash, templateId: id }, problems: [] };
  return checkDraft({ flows, isTaken }, tenantId, withOtherId(text, id, hash), allowed);
}

/** The same draft as `<id>-<hash8>`. */
export function withOtherId(text: string, id: string, hash: string): string {
  const suffix = `-${hash.slice(0, SUFFIX_DIGITS)}`;
  return withId(text, id.slice(0, MAX_ID - suffix.length) + suffix);
}
