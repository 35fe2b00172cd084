/** Templates that runs start from: registered once, under a version of their own. */
import { expect, it } from "vitest";
import { toError } from "../../../../src/base/errors.ts";
import { SERVED } from "../../../../src/flows/check/unserved.ts";
import type { FlowStore, NewFlowVersion } from "../../../../src/flows/ports/flow-store.ts";
import type { FlowVersion } from "../../../../src/flows/ports/registry.ts";
import type { FlowTemplate } from "../../../../src/flows/ports/templates.ts";
import { createFlowRegistry } from "../../../../src/flows/registry.ts";
import { readTemplate } from "../../../../src/flows/templates/read-template.ts";
import { createTemplateStarts } from "../../../../src/flows/templates/use-template.ts";

const template = (output: string, version = 'version: "1.0"') =>
  readTemplate(
    `{id: t, ${version}, workflow: {tasks: [{id: a, type: noop, parameters: {output: ${output}}}]}}`,
    SERVED,
  );

/** Starts from one template that can be exchanged, over a registry with a store in memory. */
function createStarts(first: FlowTemplate) {
  const stored: FlowVersion[] = [];
  let statements = 0;
  const find = (match: (flow: FlowVersion) => boolean) => {
    statements += 1;
    return Promise.resolve(stored.find(match) ?? null);
  };
  const store: FlowStore = {
    async insert(flow: NewFlowVersion) {
      statements += 1;
      if (stored.some((one) => one.tenantId === flow.tenantId && one.version === flow.version)) return null;
      const version = { ...flow, createdAt: 1, latest: true };
      stored.push(version);
      return version;
    },
    find: (tenantId, _flowId, version) => find((flow) => flow.tenantId === tenantId && flow.version === version),
    findByHash: (_tenantId, _flowId, hash) => find((flow) => flow.hash === hash),
    async deleteVersion(_tenantId, _flowId, version) {
      stored.splice(
        stored.findIndex((flow) => flow.version === version),
        1,
      );
      return { outcome: "deleted", deletedAt: 1 };
    },
    listDeclared: async () => [],
    listFlows: async () => [],
    listVersions: async () => [],
  };
  const flows = createFlowRegistry(store);
  const held = { template: first };
  const getTemplate = async (_: string, templateId: string): Promise<FlowTemplate> => {
    if (templateId !== "t") throw toError("TEMPLATE_NOT_FOUND", { templateId });
    return held.template;
  };
  const { useTemplate } = createTemplateStarts({ getTemplate }, flows);
  return { held, flows, stored, useTemplate, statements: () => statements };
}

it("registers a template once for each tenant, however many use it at once, and then costs no statement", async () => {
  const { useTemplate, stored, statements } = createStarts(template("1"));
  const used = await Promise.all(Array.from({ length: 100 }, () => useTemplate("one", "t")));
  expect(used.filter(({ created }) => created)).toEqual([used[0]]);
  expect(new Set(used.slice(1)).size).toBe(1);
  expect(used[0]).toMatchObject({ flowId: "t", version: "1.0", template: { templateId: "t" } });
  await useTemplate("one", "t");
  const before = statements();
  await Promise.all(Array.from({ length: 100 }, () => useTemplate("one", "t")));
  expect(statements()).toBe(before);
  await useTemplate("two", "t");
  expect(stored.map(({ tenantId, version }) => `${tenantId} ${version}`)).toEqual(["one 1.0", "two 1.0"]);
});

it("runs a changed template with an unchanged version as that version and the beginning of its hash", async () => {
  const { useTemplate, held, stored } = createStarts(template("1"));
  await useTemplate("one", "t");
  held.template = template("2");
  const { version, flow } = await useTemplate("one", "t");
  expect(version).toBe(`1.0+${held.template.hash.slice(0, 8)}`);
  expect(flow.document["workflow"]).toEqual(held.template.document["workflow"]);
  held.template = template("1");
  expect((await useTemplate("one", "t")).version).toBe("1.0");
  held.template = template("2", 'version: "1.1"');
  expect((await useTemplate("one", "t")).version).toBe("1.1");
  expect(stored).toHaveLength(3);
});

it("shortens a version that leaves no room for the hash, and names one that the template lacks", async () => {
  const long = "v".repeat(64);
  const { useTemplate, held } = createStarts(template("1", `version: ${long}`));
  expect((await useTemplate("one", "t")).version).toBe(long);
  held.template = template("2", `version: ${long}`);
  expect((await useTemplate("one", "t")).version).toBe(`${"v".repeat(55)}+${held.template.hash.slice(0, 8)}`);
  held.template = template("3", "name: T");
  expect((await useTemplate("one", "t")).version).toBe(`sha-${held.template.hash.slice(0, 12)}`);
});

it("registers a template again whose version was deleted", async () => {
  const { useTemplate, flows, stored } = createStarts(template("1"));
  await useTemplate("one", "t");
  await flows.deleteVersion("one", "t", "1.0", "");
  const used = await Promise.all([useTemplate("one", "t"), useTemplate("one", "t")]);
  expect(used.map(({ version }) => version)).toEqual(["1.0", "1.0"]);
  expect(stored).toHaveLength(1);
});

it("refuses a template that does not exist, and one that the registry refuses, with its problems, each time", async () => {
  const { useTemplate, held } = createStarts(template("1"));
  await expect(useTemplate("one", "other")).rejects.toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
  held.template = {
    ...template("1"),
    hash: "x",
    document: { id: "t", workflow: { tasks: [{ id: "a", type: "no" }] } },
  };
  for (let tries = 0; tries < 2; tries++)
    await expect(useTemplate("one", "t")).rejects.toMatchObject({
      code: "FLOW_INVALID",
      violations: [{ field: "workflow.tasks[0].type" }],
    });
});
