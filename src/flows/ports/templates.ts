/** Templates, as seen by those who list them, make flows from them, or start runs from them. */
import type { OrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { FlowVersion } from "./registry.ts";

/** A variable that a template declares, as written. */
export interface TemplateVariable {
  readonly name: string;
  readonly type?: "string" | "number" | "integer" | "boolean" | "array" | "object" | "any" | undefined;
  readonly description?: string | undefined;
  readonly required?: boolean | undefined;
  readonly default?: unknown;
  readonly enum?: readonly unknown[] | undefined;
}

/** Who approved a template that a model wrote. */
export interface TemplateApproval {
  readonly generationId: string;
  /** Empty: unknown. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A flow to be filled in and registered, or to be started as it is: a file, or an approved draft. */
export interface FlowTemplate {
  /** The `id` of its definition. */
  readonly templateId: string;
  readonly version: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly variables: readonly TemplateVariable[];
  /** Tasks or states. */
  readonly taskCount: number;
  readonly source: string;
  readonly document: JsonObject;
  /** Hex SHA-256 of the canonical document. */
  readonly hash: string;
  /** Null: it is a file. */
  readonly approval: TemplateApproval | null;
}

/** What can be filled into a template. */
export interface TemplateFill {
  /** New defaults of the flow's variables. */
  readonly variables: JsonObject;
  /** Id of the new flow; empty means that of the template. */
  readonly flowId: string;
  /** Version of the new flow; empty means that of the template. */
  readonly version: string;
}

/** A file that cannot be used as it is now. */
export interface RefusedFile {
  readonly file: string;
  readonly error: OrchestratorError;
  /** Nothing is wrong with it but that it uses a part which is not configured, such as Redis. */
  readonly needsMore: boolean;
  /** The template that its last good content still provides; null if it never had any. */
  readonly keeps: string | null;
}

/** How many templates there are, for status pages. Reads no file. */
export interface TemplateCounts {
  readonly count: number;
  /** By category, in alphabetical order; templates without one are under the empty text. */
  readonly byCategory: ReadonlyMap<string, number>;
  readonly refused: readonly RefusedFile[];
}

/**
 * The templates of a folder, as its files are now: a file that was changed, added, renamed, or deleted shows within a
 * second at the latest. A file that breaks keeps its last good content.
 */
export interface FileTemplates {
  /** Lists templates by id, starting after `afterId`. */
  listTemplates(afterId: string, limit: number): Promise<readonly FlowTemplate[]>;
  /** Returns a template. Errors: TEMPLATE_NOT_FOUND; if its file never was valid, the error of the file. */
  getTemplate(templateId: string): Promise<FlowTemplate>;
  /** What the last look at the folder found. */
  counts(): TemplateCounts;
  close(): void;
}

/** The templates of a tenant: files, and the drafts that it has approved. A file goes before a draft with its id. */
export interface TemplateCatalogue extends Pick<FileTemplates, "counts"> {
  /** Lists templates by id, starting after `afterId`. */
  listTemplates(tenantId: string, afterId: string, limit: number): Promise<readonly FlowTemplate[]>;
  /**
   * Returns a template. Errors: TEMPLATE_NOT_FOUND; the error of a file that never was valid, or of a draft that this
   * service cannot run any more.
   */
  getTemplate(tenantId: string, templateId: string): Promise<FlowTemplate>;
  /** Returns the document of a new flow. Errors: as getTemplate, FLOW_INPUT_INVALID with all violations. */
  fillTemplate(tenantId: string, templateId: string, fill: TemplateFill): Promise<JsonObject>;
  /** Deletes an approved draft. Resolves with whether there was one. Error: TEMPLATE_IN_FILE. */
  deleteTemplate(tenantId: string, templateId: string): Promise<boolean>;
}

/** An approved draft. */
export interface KeptTemplate {
  readonly templateId: string;
  readonly source: string;
  readonly hash: string;
  readonly approval: TemplateApproval;
}

/** Approved drafts. They never change; another one can have the id of one that was removed. */
export interface KeptTemplates {
  find(tenantId: string, templateId: string): Promise<KeptTemplate | null>;
  /** By id, starting after `afterId`. */
  list(tenantId: string, afterId: string, limit: number): Promise<readonly KeptTemplate[]>;
  /** Stores a draft, approved now. False: a draft of another generation has its id. */
  keep(tenantId: string, template: Omit<KeptTemplate, "approval"> & Omit<TemplateApproval, "at">): Promise<boolean>;
  /** False: there was none. */
  remove(tenantId: string, templateId: string): Promise<boolean>;
}

/** A template that is registered as a flow: runs start with this flow and version. */
export interface UsedTemplate {
  readonly flowId: string;
  /** The template's version, or `<version>+<hash8>` if a flow has that version with other content. */
  readonly version: string;
  readonly flow: FlowVersion;
  readonly template: FlowTemplate;
  /** Whether this call has registered it. */
  readonly created: boolean;
}

/** Starts from templates. */
export interface TemplateStarts {
  /**
   * Registers a template as a flow version, unless it is. As long as neither the template nor the version changes, that
   * of a file costs no statement, and an approved draft one, because it may have been deleted. Errors: those of
   * {@link TemplateCatalogue.getTemplate} and of the registration, such as FLOW_INVALID with all problems.
   */
  useTemplate(tenantId: string, templateId: string): Promise<UsedTemplate>;
}
