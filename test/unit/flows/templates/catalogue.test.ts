/** Templates of a folder, and what happens to them while the folder changes. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import type { Json } from "../../../../src/base/json/json.ts";
import type { Log } from "../../../../src/base/log.ts";
import { validateFlow } from "../../../../src/flows/compile.ts";
import type { FileTemplates } from "../../../../src/flows/ports/templates.ts";
import { openTemplates } from "../../../../src/flows/templates/catalogue.ts";
import { fillTemplate } from "../../../../src/flows/templates/fill-template.ts";
import { eventually } from "../../../support/eventually.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

const shipped = fileURLToPath(new URL("../../../../templates", import.meta.url));
const flow = (id: string, version = "1.0", more = "") =>
  `id: ${id}\nversion: "${version}"\n${more}workflow: {tasks: [{id: x, type: noop}]}\n`;

const opened: FileTemplates[] = [];
afterEach(() => {
  for (const catalogue of opened.splice(0)) catalogue.close();
});

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Opens a folder with files; `lines` are what it logs as warnings. */
async function open(files: Readonly<Record<string, string>>) {
  const folder = createTemporaryFolder();
  const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);
  for (const [file, text] of Object.entries(files)) write(file, text);
  const lines: Line[] = [];
  const warn: Log["warn"] = (message, fields = {}) => lines.push({ message, fields });
  const catalogue = await openTemplates(folder, { log: { debug() {}, info() {}, warn, error() {} } });
  opened.push(catalogue);
  const versions = async (): Promise<string[]> =>
    (await catalogue.listTemplates("", 100)).map(({ templateId, version }) => `${templateId} ${version}`);
  const refused = (): string[] =>
    catalogue.counts().refused.map(({ file, error, keeps }) => `${file} ${error.code} ${keeps}`);
  return { folder, write, catalogue, versions, refused, lines };
}

/** Changes show within a second, by notification or by comparison. */
const soon = <T>(check: () => T | Promise<T>): Promise<T> => eventually(check, { timeoutMs: 3_000 });

describe("templates of a folder", () => {
  it("that need a part which is not configured are refused without a warning, and say what is missing", async () => {
    const { catalogue, versions, lines, write } = await open({
      "a.yaml": flow("a"),
      "b.yaml": 'id: b\nversion: "1"\nworkflow: {tasks: [{id: x, type: emit, parameters: {topic: t, payload: {}}}]}\n',
    });
    expect(await versions()).toEqual(["a 1.0"]);
    expect(catalogue.counts().refused).toMatchObject([{ file: "b.yaml", needsMore: true, keeps: null }]);
    await expect(catalogue.getTemplate("b")).rejects.toMatchObject({ message: expect.stringContaining("emit") });
    expect(lines).toEqual([]);
    write("b.yaml", "id: b\nworkflow: {tasks: [{id: x, type: emmit}]}\n");
    await soon(() => expect(catalogue.counts().refused).toMatchObject([{ file: "b.yaml", needsMore: false }]));
    expect(lines).toMatchObject([{ message: "a template is skipped" }]);
  });

  it("are read in order and filled in", async () => {
    const catalogue = await openTemplates(shipped);
    opened.push(catalogue);
    // Some need Redis.
    expect(catalogue.counts().refused.filter(({ needsMore }) => !needsMore)).toEqual([]);
    const ids = (await catalogue.listTemplates("", 100)).map((template) => template.templateId);
    expect(ids).toEqual([...ids].sort());
    expect((await catalogue.listTemplates(ids[0] ?? "", 1)).map(({ templateId }) => templateId)).toEqual(
      ids.slice(1, 2),
    );
    const document = fillTemplate(await catalogue.getTemplate("http-check"), {
      variables: { url: "http://x", max_calls: 2 },
      flowId: "my-check",
      version: "7",
    });
    expect(document).toMatchObject({ id: "my-check", version: "7" });
    expect(
      (document["variables"] as { name: string; default?: Json }[]).map((variable) => [
        variable.name,
        variable.default,
      ]),
    ).toEqual([
      ["url", "http://x"],
      ["interval", "30s"],
      ["max_calls", 2],
    ]);
    expect(validateFlow({ document })).toEqual([]);
    await expect(catalogue.getTemplate("nope")).rejects.toThrow(/template nope does not exist/);
    const template = await catalogue.getTemplate("http-check");
    expect(() => fillTemplate(template, { variables: { url: 5, uri: 1 }, flowId: "", version: "" })).toThrow(
      /url: expected a value of type string/,
    );
  });

  it("are counted by category; those that are broken or doubled are left out with their reason", async () => {
    const { catalogue, versions, refused } = await open({
      "1.yaml": flow("a", "1", "category: c\n"),
      "2.yml": flow("a", "2"),
      "3.yaml": "id: b\n",
      "4.json": '{"id": "d", "version": "1", "workflow": {"graph": "g"}}',
      ".5.yaml.swp.yaml": "half of",
      "readme.md": "not a flow",
    });
    expect(await versions()).toEqual(["a 1", "d 1"]);
    expect(refused()).toEqual(["2.yml FLOW_SOURCE_INVALID null", "3.yaml FLOW_INVALID null"]);
    expect([catalogue.counts().count, ...catalogue.counts().byCategory]).toEqual([2, ["", 1], ["c", 1]]);
  });

  it("that were never valid answer with what is wrong, by their id or by the name of the file", async () => {
    const { catalogue } = await open({
      "1.yaml": "id: named\nworkflow: {tasks: [{id: x, type: nope}]}\n",
      "by-file.yaml": "id: [",
    });
    await expect(catalogue.getTemplate("named")).rejects.toMatchObject({
      code: "FLOW_INVALID",
      violations: [{ field: "workflow.tasks[0].type" }],
    });
    await expect(catalogue.getTemplate("by-file")).rejects.toMatchObject({ code: "FLOW_SOURCE_INVALID" });
    await expect(catalogue.getTemplate("1")).rejects.toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
  });

  it("of which there are none appear with the folder", async () => {
    const folder = join(createTemporaryFolder(), "later");
    const catalogue = await openTemplates(folder);
    opened.push(catalogue);
    expect(await catalogue.listTemplates("", 10)).toEqual([]);
    mkdirSync(folder);
    writeFileSync(join(folder, "a.yaml"), flow("a"));
    await soon(async () => expect(await catalogue.getTemplate("a")).toMatchObject({ version: "1.0" }));
  });
});

describe("a folder that changes", () => {
  it("shows new, changed, replaced, renamed, and deleted files", async () => {
    const { folder, write, versions } = await open({ "a.yaml": flow("a") });
    write("b.yaml", flow("b"));
    await soon(async () => expect(await versions()).toEqual(["a 1.0", "b 1.0"]));
    write("a.yaml", flow("a", "1.1"));
    await soon(async () => expect(await versions()).toEqual(["a 1.1", "b 1.0"]));
    write("b.new", flow("b", "2.0"));
    renameSync(join(folder, "b.new"), join(folder, "b.yaml"));
    await soon(async () => expect(await versions()).toEqual(["a 1.1", "b 2.0"]));
    renameSync(join(folder, "a.yaml"), join(folder, "c.yaml"));
    rmSync(join(folder, "b.yaml"));
    await soon(async () => expect(await versions()).toEqual(["a 1.1"]));
  });

  it("keeps the last good content of a file that breaks, says so, and takes it when it is whole again", async () => {
    const { write, versions, refused, lines } = await open({ "a.yaml": flow("a") });
    write("a.yaml", `${flow("a", "1.1")}oops: {`);
    await soon(async () => {
      await versions();
      expect(refused()).toEqual(["a.yaml FLOW_SOURCE_INVALID a"]);
    });
    expect(await versions()).toEqual(["a 1.0"]);
    expect(lines.map(({ message, fields }) => [message, fields["file"], fields["template"]])).toEqual([
      ["a template is broken; its last good content stays", "a.yaml", "a"],
    ]);
    write("a.yaml", flow("a", "1.1"));
    await soon(async () => expect(await versions()).toEqual(["a 1.1"]));
    expect(refused()).toEqual([]);
  });

  // Cause: the beginning of a list of tasks is a valid template too.
  it("does not take a file while it is being written", async () => {
    const { write, versions } = await open({ "a.yaml": flow("a") });
    const seen = new Set<string>();
    let part = 0;
    const writer = setInterval(() => write("a.yaml", flow("a", `half-${part++}`)), 15);
    await soon(async () => {
      for (const one of await versions()) seen.add(one);
      expect(part).toBeGreaterThan(60);
    });
    clearInterval(writer);
    write("a.yaml", flow("a", "2.0"));
    await soon(async () => expect(await versions()).toEqual(["a 2.0"]));
    expect([...seen]).toEqual(["a 1.0"]);
  });

  it("shows in the counts without any use", async () => {
    const { write, catalogue } = await open({ "a.yaml": flow("a") });
    write("b.yaml", flow("b"));
    await soon(() => expect(catalogue.counts().count).toBe(2));
  });

  it("gives an id to the first of two files by name, whichever came first, and to the other when that one is gone", async () => {
    const { folder, write, versions, refused } = await open({ "m.yaml": flow("a", "m") });
    write("b.yaml", flow("a", "b"));
    await soon(async () => expect(await versions()).toEqual(["a b"]));
    expect(refused()).toEqual(["m.yaml FLOW_SOURCE_INVALID null"]);
    rmSync(join(folder, "b.yaml"));
    await soon(async () => expect(await versions()).toEqual(["a m"]));
    expect(refused()).toEqual([]);
  });

  it("keeps its templates while the folder is away, and follows the one that takes its place", async () => {
    const { folder, versions, lines } = await open({ "a.yaml": flow("a") });
    renameSync(folder, `${folder}-away`);
    await soon(async () => {
      await versions();
      expect(lines.map(({ message }) => message)).toEqual([
        "the folder of templates cannot be read; what was read before stays",
      ]);
    });
    expect(await versions()).toEqual(["a 1.0"]);
    renameSync(`${folder}-away`, folder);
    writeFileSync(join(folder, "a.yaml"), flow("a", "2.0"));
    await soon(async () => expect(await versions()).toEqual(["a 2.0"]));
  });

  // Configuration that is mounted into a container changes by one link.
  it("follows links that are exchanged", async () => {
    const { folder, versions } = await open({});
    for (const version of ["1", "2"]) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, "a.yaml"), flow("a", version));
    }
    symlinkSync("1", join(folder, "data"));
    symlinkSync("data/a.yaml", join(folder, "a.yaml"));
    await soon(async () => expect(await versions()).toEqual(["a 1"]));
    symlinkSync("2", join(folder, "next"));
    renameSync(join(folder, "next"), join(folder, "data"));
    await soon(async () => expect(await versions()).toEqual(["a 2"]));
  });

  // Mounts of other machines notify nobody, and a caller that was told too early starts what was there before.
  it("shows a change without a notification to the first use a second after it, which waits for it", async () => {
    const { folder, versions } = await open({});
    mkdirSync(join(folder, "below"));
    writeFileSync(join(folder, "below", "a.yaml"), flow("a", "1"));
    symlinkSync("below/a.yaml", join(folder, "a.yaml"));
    await soon(async () => expect(await versions()).toEqual(["a 1"]));
    // Nothing in the folder itself changes.
    writeFileSync(join(folder, "below", "a.yaml"), flow("a", "2"));
    const changedAt = performance.now();
    await eventually(() => expect(performance.now() - changedAt).toBeGreaterThan(1_100));
    expect(await versions()).toEqual(["a 2"]);
  });

  it("names a file that is too large or cannot be read", async () => {
    const { folder, write, refused, catalogue } = await open({});
    write("large.yaml", `${flow("large")}# ${"x".repeat(300_000)}`);
    mkdirSync(join(folder, "folder.yaml"));
    await soon(async () => {
      await catalogue.listTemplates("", 1);
      expect(refused()).toEqual(["folder.yaml FLOW_SOURCE_INVALID null", "large.yaml FLOW_SOURCE_INVALID null"]);
    });
  });
});
