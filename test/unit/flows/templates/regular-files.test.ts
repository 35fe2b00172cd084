/** What lies in a folder of templates without being one: it is refused by name, shows nothing, and holds up nobody. */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openTemplates } from "../../../../src/flows/templates/catalogue.ts";
import { openFolder } from "../../../../src/flows/templates/folder.ts";
import { eventually } from "../../../support/eventually.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";

const SECRET = "open-sesame";
const flow = (id: string) => `id: ${id}\nworkflow: {tasks: [{id: x, type: noop}]}\n`;

/** Opens a folder that `fill` has filled. */
async function open(fill: (folder: string) => void) {
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "good.yaml"), flow("good"));
  fill(folder);
  const catalogue = await openTemplates(folder);
  onTestFinished(() => catalogue.close());
  const refused = () => catalogue.counts().refused.map(({ file, error }) => `${file}: ${error.message}`);
  const ids = async () => (await catalogue.listTemplates("", 100)).map(({ templateId }) => templateId);
  return { folder, refused, ids };
}

it.each([
  ["a named pipe", (path: string) => void execFileSync("mkfifo", [path]), /x\.yaml: .*a named pipe; only regular/],
  ["a directory", (path: string) => void mkdirSync(path), /x\.yaml: .*a directory; only regular/],
  ["a link to a device", (path: string) => symlinkSync("/dev/zero", path), /x\.yaml: .*leads out of the folder/],
  ["a link to a pipe", linkToPipe, /x\.yaml: .*a named pipe; only regular/],
  ["a link to itself", (path: string) => symlinkSync(path, path), /x\.yaml: .*ELOOP/],
  ["a link out", linkOut, /x\.yaml: .*leads out of the folder/],
  ["a link to a folder that leads out", linkThrough, /x\.yaml: .*leads out of the folder/],
])("%s is one refused file with its reason", async (_what, make, reason) => {
  const { refused, ids } = await open((folder) => make(join(folder, "x.yaml")));
  expect(await ids()).toEqual(["good"]);
  expect(refused()).toEqual([expect.stringMatching(reason)]);
  expect(refused().join()).not.toContain(SECRET);
});

function linkToPipe(path: string): void {
  execFileSync("mkfifo", [`${path}.pipe`]);
  symlinkSync(`${path}.pipe`, path);
}

/** A folder beside that of the templates, whose name begins like it. */
function outside(path: string): string {
  const folder = `${join(path, "..")}-beside`;
  mkdirSync(folder);
  writeFileSync(join(folder, "secret.yaml"), `id: secret\nworkflow: ${SECRET}\n`);
  return folder;
}

function linkOut(path: string): void {
  symlinkSync(join(outside(path), "secret.yaml"), path);
}

function linkThrough(path: string): void {
  symlinkSync(outside(path), join(path, "..", "data"));
  symlinkSync("data/secret.yaml", path);
}

it("a socket is refused", async () => {
  const server = createServer();
  const { refused, ids } = await open((folder) => server.listen(join(folder, "x.yaml")));
  onTestFinished(() => void server.close());
  await eventually(async () => {
    expect(await ids()).toEqual(["good"]);
    expect(refused()).toEqual([expect.stringMatching(/x\.yaml: .*a socket; only regular files/)]);
  });
});

it("a file that a pipe replaces keeps its last good content", async () => {
  const { folder, refused, ids } = await open(() => {});
  execFileSync("mkfifo", [join(folder, "pipe")]);
  renameSync(join(folder, "pipe"), join(folder, "good.yaml"));
  await eventually(async () => {
    expect(await ids()).toEqual(["good"]);
    expect(refused()).toEqual([expect.stringMatching(/good\.yaml: .*a named pipe/)]);
  });
});

it("a mounted configuration, whose files are links to links inside the folder, is read", async () => {
  const { refused, ids } = await open((folder) => {
    mkdirSync(join(folder, "..2026_11_29"));
    writeFileSync(join(folder, "..2026_11_29", "a.yaml"), flow("a"));
    symlinkSync("..2026_11_29", join(folder, "..data"));
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
  });
  expect([await ids(), refused()]).toEqual([["a", "good"], []]);
});

it("a folder that is a link is read", async () => {
  const folder = createTemporaryFolder();
  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real", "a.yaml"), flow("a"));
  symlinkSync("a.yaml", join(folder, "real", "b.yaml"));
  symlinkSync("real", join(folder, "link"));
  const catalogue = await openTemplates(join(folder, "link"));
  onTestFinished(() => catalogue.close());
  expect((await catalogue.listTemplates("", 9)).map(({ templateId }) => templateId)).toEqual(["a"]);
  expect(catalogue.counts().refused.map(({ error }) => error.message)).toEqual([
    expect.stringContaining("already has the template a"),
  ]);
});

// The system makes up such files: their size is 0.
it.skipIf(process.platform !== "linux")("what is read is bounded, whatever size is announced", async () => {
  const read = new Map<string, string>();
  const folder = await openFolder(
    "/proc/self",
    { pattern: /^(maps|comm)$/, maxBytes: 100 },
    {
      changed: (file, text, error) => read.set(file, error?.message ?? text),
      removed() {},
      failed() {},
      settled() {},
    },
  );
  onTestFinished(() => folder.close());
  expect(read.get("maps")).toBe("it has more than 100 bytes, the limit");
});

it("files that are no templates show nothing of their content", async () => {
  const { refused } = await open((folder) => {
    writeFileSync(join(folder, "a.yaml"), `root:${SECRET}:0:0\n`);
    writeFileSync(join(folder, "b.json"), `{"password": "${SECRET}"`);
    writeFileSync(join(folder, "c.yaml"), `token: "${SECRET}"\n${SECRET}: 1\n`);
    writeFileSync(join(folder, "d.yaml"), `- ${SECRET}\n`);
    writeFileSync(join(folder, "e.yaml"), `id: e\nworkflow: "${"x".repeat(70)}${SECRET}"\n`);
  });
  expect(refused().join("\n")).not.toContain(SECRET);
  expect(refused().slice(0, 4)).toEqual(
    ["a.yaml", "b.json", "c.yaml", "d.yaml"].map((file) =>
      expect.stringMatching(`^${file}: .*it is no template; expected an object with id and workflow$`),
    ),
  );
});

it("a look that takes long is not waited for", async () => {
  const path = createTemporaryFolder();
  for (let index = 0; index < 1_000; index++) writeFileSync(join(path, `${index}.yaml`), "");
  let count = 0;
  const folder = await openFolder(
    path,
    { pattern: /yaml$/, maxBytes: 100, patienceMs: 5 },
    { changed: () => count++, removed() {}, failed() {}, settled() {} },
  );
  onTestFinished(() => folder.close());
  await folder.fresh();
  expect(count).toBeLessThan(1_000);
  await eventually(() => expect(count).toBe(1_000));
});
