/** The templates of a tenant: files first, then the drafts that it has approved. */
import { expect, it } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { SERVED } from "../../../../src/flows/check/unserved.ts";
import type { FileTemplates, KeptTemplate, KeptTemplates } from "../../../../src/flows/ports/templates.ts";
import { createCatalogue } from "../../../../src/flows/templates/all-templates.ts";
import { readTemplate } from "../../../../src/flows/templates/read-template.ts";

const textOf = (id: string, task = "{id: a, type: noop}"): string =>
  `id: ${id}\nversion: "1"\nworkflow: {tasks: [${task}]}\n`;

const kept = (templateId: string, task?: string): KeptTemplate => ({
  ...{ templateId, source: textOf(templateId, task), hash: "h" },
  approval: { generationId: `g-${templateId}`, by: "ann", at: 1 },
});

/** A catalogue of these files, and of these drafts of the tenant `one`. */
function createAll(files: readonly string[], drafts: KeptTemplate[]) {
  const ofFiles = files.map((id) => readTemplate(textOf(id), SERVED));
  const folder: FileTemplates = {
    listTemplates: async (after, limit) => ofFiles.filter(({ templateId }) => templateId > after).slice(0, limit),
    getTemplate: async (templateId) => {
      const found = ofFiles.find((template) => template.templateId === templateId);
      if (templateId === "broken-file") throw toError("FLOW_SOURCE_INVALID", { problem: "it is broken" });
      if (found === undefined) throw toError("TEMPLATE_NOT_FOUND", { templateId });
      return found;
    },
    counts: () => ({ count: files.length, byCategory: new Map(), refused: [] }),
    close() {},
  };
  const store: KeptTemplates = {
    find: async (tenantId, templateId) => {
      return tenantId === "one" ? (drafts.find((draft) => draft.templateId === templateId) ?? null) : null;
    },
    list: async (tenantId, after, limit) =>
      tenantId === "one" ? drafts.filter(({ templateId }) => templateId > after).slice(0, limit) : [],
    keep: async () => true,
    remove: async (tenantId, templateId) => {
      const at = tenantId === "one" ? drafts.findIndex((draft) => draft.templateId === templateId) : -1;
      return at >= 0 && drafts.splice(at, 1).length > 0;
    },
  };
  return { catalogue: createCatalogue(folder, store, SERVED) };
}

it("lists both by id, page by page, for the tenant whose drafts they are", async () => {
  const drafts = ["b", "d", "e"].map((id) => kept(id));
  const { catalogue } = createAll(["a", "c", "f"], drafts);
  const idsOf = async (tenantId: string, after: string, limit: number) =>
    (await catalogue.listTemplates(tenantId, after, limit)).map(({ templateId }) => templateId);
  expect(await idsOf("one", "", 100)).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(await idsOf("one", "", 2)).toEqual(["a", "b"]);
  expect(await idsOf("one", "b", 3)).toEqual(["c", "d", "e"]);
  expect(await idsOf("two", "", 100)).toEqual(["a", "c", "f"]);
  await expect(catalogue.getTemplate("two", "b")).rejects.toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
});

it("prefers a file, also one that is broken, and parses a draft once", async () => {
  const { catalogue } = createAll(["a"], [kept("a"), kept("b"), kept("broken-file")]);
  expect(await catalogue.getTemplate("one", "a")).toMatchObject({ approval: null });
  await expect(catalogue.getTemplate("one", "broken-file")).rejects.toMatchObject({ code: "FLOW_SOURCE_INVALID" });
  expect((await catalogue.listTemplates("one", "", 9)).map(({ templateId }) => templateId)).toEqual(["a", "b"]);
  const template = await catalogue.getTemplate("one", "b");
  expect(template).toMatchObject({ approval: { generationId: "g-b", by: "ann" }, taskCount: 1 });
  expect(await catalogue.getTemplate("one", "b")).toBe(template);
  const fill = { variables: {}, flowId: "mine", version: "" };
  expect(await catalogue.fillTemplate("one", "b", fill)).toMatchObject({ id: "mine" });
});

it("leaves out drafts that need what the service does not have any more, and says so to those who ask", async () => {
  const gone = ["m1", "m2", "m3"].map((id) => kept(id, "{id: a, type: ai, parameters: {prompt: x}}"));
  const { catalogue } = createAll([], [...gone, kept("z")]);
  expect((await catalogue.listTemplates("one", "", 1)).map(({ templateId }) => templateId)).toEqual(["z"]);
  await expect(catalogue.getTemplate("one", "m1")).rejects.toMatchObject({ code: "FLOW_INVALID" });
});

it("deletes a draft, not a file, and another generation may have its id", async () => {
  const drafts = [kept("a"), kept("b")];
  const { catalogue } = createAll(["a", "c"], drafts);
  expect((await catalogue.getTemplate("one", "b")).approval?.generationId).toBe("g-b");
  expect(await catalogue.deleteTemplate("two", "b")).toBe(false);
  expect(await catalogue.deleteTemplate("one", "b")).toBe(true);
  expect(await catalogue.deleteTemplate("one", "b")).toBe(false);
  await expect(catalogue.getTemplate("one", "b")).rejects.toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
  drafts.push({ ...kept("b"), approval: { generationId: "g-2", by: "", at: 2 } });
  expect((await catalogue.getTemplate("one", "b")).approval?.generationId).toBe("g-2");
  // The draft that a file hides.
  expect(await catalogue.deleteTemplate("one", "a")).toBe(true);
  for (const id of ["a", "c", "broken-file"])
    await expect(catalogue.deleteTemplate("one", id), id).rejects.toMatchObject({ code: "TEMPLATE_IN_FILE" });
});
