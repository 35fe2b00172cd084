/** Errors of generations. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const GENERATION_ERRORS = {
  GENERATION_NOT_FOUND: entry("NOT_FOUND", 404, "no", "generation {generationId} does not exist"),
  GENERATION_UNAVAILABLE: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "nobody can write a template: {problem}; set generation.model (ORCHESTRATOR_GENERATION_MODEL) and models.providers, or redis.url for an agent",
  ),
  REQUIRED_SERVICE_INVALID: entry("INVALID_ARGUMENT", 400, "no", "{field}: {problem}"),
  GENERATION_NOT_DRAFT: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "generation {generationId} is {status}: it has no draft that waits for a decision",
  ),
  DRAFT_HASH_MISMATCH: entry(
    "FAILED_PRECONDITION",
    409,
    "no",
    "the draft of generation {generationId} has the hash {draftHash}, not {given}; read it again before you approve it",
  ),
  DRAFT_INVALID: entry("FAILED_PRECONDITION", 409, "no", "the draft cannot be used: {problem}"),
  TEMPLATE_ID_TAKEN: entry(
    "ALREADY_EXISTS",
    409,
    "no",
    "a template or a flow {templateId} has come to exist since the draft was written; have another one written",
  ),
} as const satisfies Record<string, CatalogueEntry>;
