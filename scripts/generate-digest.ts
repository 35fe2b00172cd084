/**
 * Digests of generated code: they prove without Go or Python that what is committed was made from the contracts that
 * are committed.
 *
 * `gen/DIGEST` has one line for each part, `name inputs=<sha256> outputs=<sha256>`. Inputs are everything that decides
 * the result (contracts, templates, generators and their versions), outputs are the files that were made.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** Templates of `buf generate`, in the order in which they run. */
export const TEMPLATES = ["buf.gen.yaml", "buf.gen.third-party.yaml"];

/** A part of the generated code: where it comes from and what it writes. Paths are relative to the repository. */
export interface Part {
  /** Name on the command line and in `gen/DIGEST`. */
  readonly name: string;
  /** Folder that its plugins write into: it names them in the templates. */
  readonly folder: string;
  /** What must be on the machine beside Node. */
  readonly needs: "node" | "go" | "python";
  /** Files and folders that decide the result, beside contracts and template. */
  readonly inputs: readonly string[];
  /** Packages of `package.json` whose version decides the result. */
  readonly packages: readonly string[];
  /** Files and folders that are written, each wholly owned by the generator. */
  readonly outputs: readonly string[];
}

interface Template {
  readonly plugins: readonly { readonly out: string }[];
}

/** The templates with the plugins of one part, as JSON that `buf generate --template` takes. */
export function templatesOf(root: string, { folder }: Part): string[] {
  return TEMPLATES.flatMap((file) => {
    const template: Template = parse(readFileSync(join(root, file), "utf8"));
    const plugins = template.plugins.filter(({ out }) => `${out}/`.startsWith(`${folder}/`));
    return plugins.length === 0 ? [] : [JSON.stringify({ ...template, plugins })];
  });
}

const DRIVER = ["scripts/generate.ts", "scripts/generate-digest.ts"];

/** Every part, in the order in which they are made; `openapi` reads what `server` wrote. */
export const PARTS: readonly Part[] = [
  {
    name: "server",
    folder: "src/gen",
    needs: "node",
    inputs: DRIVER,
    packages: ["@bufbuild/buf", "@bufbuild/protoc-gen-es"],
    outputs: ["src/gen"],
  },
  {
    name: "typescript",
    folder: "gen/typescript",
    needs: "node",
    inputs: [...DRIVER, "scripts/generate-typescript.ts", "clients/typescript"],
    packages: ["@bufbuild/buf", "@bufbuild/protoc-gen-es", "@protobuf-ts/plugin", "typescript"],
    outputs: [
      "gen/typescript/connect",
      "gen/typescript/grpcweb",
      "gen/typescript/worker",
      ...["errors", "health", "info", "v1", "wkt"].flatMap((name) => [
        `gen/typescript/${name}.js`,
        `gen/typescript/${name}.d.ts`,
      ]),
    ],
  },
  {
    name: "go",
    folder: "gen/go",
    needs: "go",
    inputs: [...DRIVER, "tools/go.mod", "tools/go.sum", "clients/go"],
    packages: ["@bufbuild/buf"],
    outputs: ["gen/go/health", "gen/go/info", "gen/go/v1", "gen/go/worker"],
  },
  {
    name: "python",
    folder: "gen/python",
    needs: "python",
    inputs: [...DRIVER, "scripts/generate-python.py", "scripts/generate-python.txt", "clients/python"],
    packages: ["@bufbuild/buf"],
    outputs: [
      "gen/python/orchestrator_client",
      "gen/python/__init__.py",
      ...["health", "info", "orchestrator"].flatMap((name) => [
        `gen/python/${name}_pb2.py`,
        `gen/python/${name}_pb2_grpc.py`,
      ]),
    ],
  },
  {
    name: "openapi",
    folder: ".tools/openapi",
    needs: "go",
    inputs: [
      ...DRIVER,
      "scripts/generate-openapi.ts",
      "scripts/openapi-errors.ts",
      "scripts/openapi-rules.ts",
      "src/api/legacy/goals/openapi.ts",
      "src/api/legacy/goals/words.ts",
      "src/api/legacy/openapi-forms.ts",
      "src/api/legacy/routing/openapi.ts",
      "src/api/legacy/routing/words.ts",
      "src/api/legacy/workflows/openapi-generate.ts",
      "src/api/legacy/workflows/openapi.ts",
      "src/api/legacy/workflows/words.ts",
      "src/base/error-catalog",
      "src/base/error-catalog.ts",
      "tools/go.mod",
      "tools/go.sum",
    ],
    packages: ["@bufbuild/buf", "@bufbuild/protovalidate", "yaml"],
    outputs: ["contracts/openapi.yaml"],
  },
];

/** Names of all files under `path` (a file or a folder; nothing when it does not exist), relative to `root`, sorted. */
export function listFiles(root: string, path: string): string[] {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full, { withFileTypes: true })
    .filter((item) => item.name !== "__pycache__")
    .flatMap((item) => listFiles(root, `${path}/${item.name}`))
    .sort();
}

/** SHA-256 over names and contents of files, as hexadecimal text. */
function hashFiles(root: string, files: readonly string[], extra: string): string {
  const hash = createHash("sha256").update(extra);
  for (const file of files) {
    const content = readFileSync(join(root, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** The line of `gen/DIGEST` that belongs to the files as they are now. */
export function digestPart(root: string, part: Part): string {
  const contracts = ["contracts/orchestrator", "internal", "third_party"].flatMap((path) => listFiles(root, path));
  const protos = contracts.filter((file) => file.endsWith(".proto"));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const versions = part.packages.map(
    (name) => `${name}@${{ ...manifest.dependencies, ...manifest.devDependencies }[name]}`,
  );
  const inputs = hashFiles(
    root,
    [...protos, "buf.yaml", ...part.inputs.flatMap((path) => listFiles(root, path))],
    [...versions, ...templatesOf(root, part)].join(","),
  );
  const outputs = hashFiles(
    root,
    part.outputs.flatMap((path) => listFiles(root, path)),
    "",
  );
  return `${part.name} inputs=${inputs} outputs=${outputs}`;
}

/** Lines of `gen/DIGEST` by part; empty when the file is missing. */
export function readDigests(root: string): Map<string, string> {
  const path = join(root, "gen/DIGEST");
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(" ")), line]));
}
