/**
 * Cause: an approved draft was registered as a flow by its first use only, and took over a flow that others had
 * registered meanwhile; a second approved draft with the same id was lost.
 */
import { expect, test } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { keepDraft } from "../../../../src/engine/generation/keep-draft.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";
import { hashDocument } from "../../../../src/flows/document/identity.ts";
import type { FlowRegistry, FlowVersion } from "../../../../src/flows/ports/registry.ts";
import type { KeptTemplate, KeptTemplates, TemplateCatalogue } from "../../../../src/flows/ports/templates.ts";

const textOf = (id: string, output: string, version = "1"): string =>
  `id: ${id}\nversion: "${version}"\nworkflow: {tasks: [{id: a, type: transform, parameters: {output: ${output}}}]}\n`;

/** Flows and templates of a tenant, in memory. `fails`: the next template is not stored. */
function createShelf() {
  const versions: FlowVersion[] = [];
  const rows = new Map<string, KeptTemplate>();
  const shelf = { versions, rows, fails: false };
  const flows = {
    registerFlow: async (_, source, validateOnly) => {
      const { document, plan } = await compileFlow(source);
      const { flowId, version } = plan;
      const flow = { flowId, version, document, hash: hashDocument(document) } as FlowVersion;
      const same = versions.find((one) => one.flowId === flowId && one.version === version);
      if (same !== undefined && same.hash !== flow.hash && !validateOnly)
        throw toError("FLOW_VERSION_EXISTS", { flowId, version });
      if (same === undefined && !validateOnly) versions.push(flow);
      return { flow, created: same === undefined, problems: [], warnings: [] };
    },
    getFlow: async (_, flowId, version) => {
      const found = versions.findLast((one) => one.flowId === flowId && (version === "" || one.version === version));
      if (found === undefined) throw toError("FLOW_NOT_FOUND", { flowId, version, hint: "" });
      return found;
    },
  } satisfies Pick<FlowRegistry, "registerFlow" | "getFlow">;
  const kept = {
    find: async (_, templateId) => rows.get(templateId) ?? null,
    keep: async (_, { generationId, by, ...template }) => {
      if (shelf.fails) throw new Error("the database is away");
      const approval = rows.get(template.templateId)?.approval ?? { generationId, by, at: 1 };
      if (approval.generationId === generationId) rows.set(template.templateId, { ...template, approval });
      return approval.generationId === generationId;
    },
  } satisfies Pick<KeptTemplates, "find" | "keep">;
  const templates = {
    getTemplate: async (_, templateId) => {
      if (!rows.has(templateId)) throw toError("TEMPLATE_NOT_FOUND", { templateId });
      return {} as Awaited<ReturnType<TemplateCatalogue["getTemplate"]>>;
    },
  } satisfies Pick<TemplateCatalogue, "getTemplate">;
  const keep = async (generationId: string, source: string): Promise<string> => {
    const { flow } = await flows.registerFlow("", { text: source }, true);
    return keepDraft({ flows, kept, templates }, "", { source, flow, generationId, by: "ann" });
  };
  const register = (text: string) => flows.registerFlow("", { text }, false);
  return Object.assign(shelf, { keep, register, latest: (id: string) => flows.getFlow("", id, "") });
}

test("an approved draft is a flow from then on, and again the same", async () => {
  const shelf = createShelf();
  expect(await shelf.keep("g1", textOf("lh1", "draft"))).toBe("lh1");
  expect(await shelf.latest("lh1")).toMatchObject({ version: "1", hash: shelf.rows.get("lh1")?.hash });
  await shelf.register(textOf("lh1", "other", "2"));
  expect(await shelf.keep("g1", textOf("lh1", "draft"))).toBe("lh1");
  expect([...shelf.rows.keys()]).toEqual(["lh1"]);
  expect((await shelf.latest("lh1")).version).toBe("2");
});

test.each(["1", "2"])("a flow %s of others keeps its id: the draft gets another one", async (version) => {
  const shelf = createShelf();
  await shelf.register(textOf("lh1", "theirs", version));
  const theirs = await shelf.latest("lh1");
  const id = await shelf.keep("g1", textOf("lh1", "draft"));
  expect(id).toMatch(/^lh1-[0-9a-f]{8}$/);
  expect(await shelf.latest("lh1")).toBe(theirs);
  expect(shelf.rows.get(id)).toMatchObject({
    hash: (await shelf.latest(id)).hash,
    source: expect.stringContaining(id),
  });
});

test("of drafts with one id none is lost, even if they are the same", async () => {
  const shelf = createShelf();
  const ids = [];
  for (const generation of ["g1", "g2", "g3"]) ids.push(await shelf.keep(generation, textOf("lh1", "draft")));
  expect(new Set(ids).size).toBe(3);
  expect([...shelf.rows.keys()]).toEqual(ids);
});

test("a draft that was registered, but not stored, keeps its id the next time", async () => {
  const shelf = createShelf();
  shelf.fails = true;
  await expect(shelf.keep("g1", textOf("lh1", "draft"))).rejects.toThrow("the database is away");
  shelf.fails = false;
  expect(await shelf.keep("g1", textOf("lh1", "draft"))).toBe("lh1");
  expect(shelf.versions.map(({ flowId }) => flowId)).toEqual(["lh1"]);
});
