/** What the TypeScript client needs beyond its two generators: import paths that Node accepts, and entry points. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFiles } from "./generate-digest.ts";

/** Entry points of the package: name and the folder of the contract whose files it gathers. */
const ENTRIES = [
  { name: "health", folder: "orchestrator/health/v1" },
  { name: "info", folder: "orchestrator/info/v1" },
  { name: "v1", folder: "orchestrator/v1" },
  { name: "errors", folder: "google/rpc" },
  { name: "wkt", folder: "google/protobuf" },
];

const isDirectChild = (file: string, folder: string): boolean =>
  file.startsWith(`${folder}/`) && !file.slice(folder.length + 1).includes("/");

/** Writes one entry point, `<path>.js` and `<path>.d.ts`, that gives everything of the modules in a folder. */
function writeEntry(root: string, path: string, folder: string, from: string): void {
  const modules = listFiles(root, folder).filter((file) => file.endsWith(".js") && isDirectChild(file, folder));
  const lines = modules.map((file) => `export * from "${from}${file.slice(folder.length)}";`);
  const text = `// Generated from the contracts; do not edit.\n${lines.join("\n")}\n`;
  writeFileSync(join(root, `${path}.js`), text);
  writeFileSync(join(root, `${path}.d.ts`), text);
}

/**
 * Finishes the package in `root`. protobuf-ts writes relative imports without an extension, which Node refuses: they
 * get one. Each folder of the contract gets an entry point, for protobuf-ts at the root, for Connect under `connect`.
 */
export function finishTypescript(root: string): void {
  for (const file of listFiles(root, "grpcweb")) {
    const text = readFileSync(join(root, file), "utf8");
    writeFileSync(join(root, file), text.replace(/(from ")(\.{1,2}\/[^"]+)(";)/g, "$1$2.js$3"));
  }
  for (const { name, folder } of ENTRIES) {
    writeEntry(root, name, `grpcweb/${folder}`, `./grpcweb/${folder}`);
    // Connect has the well-known types in its own library.
    if (name !== "wkt") writeEntry(root, `connect/${name}`, `connect/${folder}`, `./${folder}`);
  }
}

/** Where the libraries that are written by hand find the package while they lie beside it. */
const PACKAGE = "../../../gen/typescript/";

const COMPILER_OPTIONS = {
  target: "es2023",
  lib: ["es2024"],
  module: "nodenext",
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
  declaration: true,
  skipLibCheck: true,
};

/** Compiles the libraries that are written by hand into the package in `root`, against what was just generated. */
export function compileLibraries(
  sources: string,
  root: string,
  tsc: (args: readonly string[], cwd: string) => unknown,
): void {
  const files = listFiles(sources, "worker");
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), readFileSync(join(sources, file), "utf8").replaceAll(PACKAGE, "../"));
  }
  writeFileSync(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files }));
  writeFileSync(join(root, "package.json"), '{"type": "module"}');
  tsc(["-p", "tsconfig.json"], root);
  for (const file of [...files, "tsconfig.json", "package.json"]) rmSync(join(root, file));
  for (const file of listFiles(root, "worker"))
    writeFileSync(join(root, file), readFileSync(join(root, file), "utf8").replaceAll('.ts";', '.js";'));
}
