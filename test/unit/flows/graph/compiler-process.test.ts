import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { compileFlow, drawFlow } from "../../../../src/flows/compile.ts";
import type { FlowDocument } from "../../../../src/flows/document/schema.ts";
import { openCompilerProcess } from "../../../../src/flows/graph/compiler-process.ts";
import type { GraphCompiler } from "../../../../src/flows/graph/graph-compiler.ts";

const document = {
  id: "f",
  workflow: {
    tasks: [
      { id: "a", type: "noop" },
      { id: "b", type: "noop", depends_on: ["a"] },
    ],
  },
};
let open: GraphCompiler | undefined;

afterEach(() => open?.close());

describe("the compiler process", { timeout: 60_000 }, () => {
  it("gives the structure and the drawing that this process would make", async () => {
    open = openCompilerProcess();
    const [beside, again, drawn] = await Promise.all([
      compileFlow({ document }, open),
      compileFlow({ document }, open),
      drawFlow(document, open),
    ]);
    const here = await compileFlow({ document });
    expect(beside.structure).toEqual(here.structure);
    expect(again.structure).toEqual(here.structure);
    expect(drawn).toBe(await drawFlow(document));
  });

  it("starts again after it was idle, and answers graph flows without starting", async () => {
    open = openCompilerProcess({ idleMs: 1 });
    const structure = await open.structureOf(document as FlowDocument);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await open.structureOf(document as FlowDocument)).toEqual(structure);
    expect(await open.structureOf({ id: "g", workflow: { graph: "x" } })).toEqual({
      nodes: [],
      edges: [],
      joins: [],
      branches: [],
    });
  });

  it("fails the call, not the service, when LangGraph refuses, when time is up, and when it is closed", async () => {
    open = openCompilerProcess();
    const lost = { id: "f", workflow: { tasks: [{ id: "a", type: "noop", depends_on: ["nobody"] }] } };
    // The builder takes edges to unknown nodes; drawing compiles the graph, which does not.
    await expect(open.draw(lost as FlowDocument)).rejects.toThrow(/LangGraph refused the flow/);
    await open.close();
    await expect(open.structureOf(document as FlowDocument)).rejects.toThrow(/closed/);
    open = openCompilerProcess({ deadlineMs: 1 });
    await expect(open.structureOf(document as FlowDocument)).rejects.toThrow(/no answer in 1 ms/);
    await expect(open.structureOf(document as FlowDocument)).rejects.toThrow(/no answer in 1 ms/);
  });

  it("does not keep its parent alive, and leaves nothing behind", async () => {
    const module = new URL("../../../../src/flows/graph/compiler-process.ts", import.meta.url).href;
    const program = `const { openCompilerProcess } = await import(${JSON.stringify(module)});
      const compiler = openCompilerProcess({ idleMs: 3_600_000 });
      console.log((await compiler.structureOf(${JSON.stringify(document)})).nodes.join());`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      cwd: fileURLToPath(new URL("../../../../", import.meta.url)),
      timeout: 50_000,
    });
    expect(stdout.trim()).toBe("a,b");
  });
});
