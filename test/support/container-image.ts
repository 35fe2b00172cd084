/** An image of this machine's own files for tests of containers, in a storage that only the test has. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** Whether `podman` is on the machine. */
export const hasPodman = spawnSync("podman", ["--version"]).error === undefined;

/** What the image has: a shell, a few tools, and Python with its library. */
const PROGRAMS = ["sh", "cat", "env", "grep", "head", "id", "ls", "mkdir", "seq", "sleep", "touch", "wc", "yes"];

export interface ContainerImage {
  readonly name: string;
  /** What podman needs to find the storage. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of containers. */
  listContainers(): readonly string[];
  remove(): void;
}

/** Makes the image `localhost/python:3.9-slim`. Its entrypoint fails, and nothing of it is to be run. */
export function makeContainerImage(): ContainerImage {
  const folder = mkdtempSync(join(tmpdir(), "orchestrator-containers-"));
  const [graph, run, conf] = ["graph", "run", "storage.conf"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const each of [graph, run]) mkdirSync(each);
  writeFileSync(conf, `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`);
  const env = { CONTAINERS_STORAGE_CONF: conf };
  const call = (...args: string[]): string => {
    const { stdout, stderr, status, error } = spawnSync("podman", args, {
      env: { ...process.env, ...env },
      encoding: "utf8",
      timeout: 120_000,
    });
    if (error !== undefined || status !== 0) throw new Error(`podman ${args[0]}: ${error?.message ?? stderr}`);
    return stdout;
  };
  const name = "localhost/python:3.9-slim";
  const files = findFiles();
  const tar = join(folder, "root.tar");
  const packed = spawnSync(
    "tar",
    [...["-C", "/", "-cf", tar, "--exclude=*/test", "--exclude=*/dist-packages", "--exclude=__pycache__", "-T", "-"]],
    { input: files.join("\n"), encoding: "utf8" },
  );
  if (packed.status !== 0) throw new Error(`tar: ${packed.stderr}`);
  const path = "/usr/local/bin:/usr/bin:/bin";
  call("import", "--change", `ENV PATH=${path}`, "--change", 'ENTRYPOINT ["/bin/false"]', tar, name);
  rmSync(tar);
  return {
    name,
    env,
    listContainers: () =>
      call("ps", "--all", "--format", "{{.Names}}")
        .split("\n")
        .filter((one) => one !== ""),
    remove() {
      call("rm", "--all", "--force", "--time=0");
      call("rmi", "--all", "--force");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Paths below `/`, with the libraries of the programs. */
function findFiles(): readonly string[] {
  const python = realpathSync("/usr/bin/python3");
  const programs = [...PROGRAMS.map((name) => `/bin/${name}`), python];
  const { stdout } = spawnSync(
    "ldd",
    programs.map((path) => realpathSync(path)),
    { encoding: "utf8" },
  );
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  const library = `/usr/lib/${python.split("/").at(-1)}`;
  // Under the names of their folders: `/bin` may be a link. What a link leads to is there, too.
  const named = [...programs, "/usr/bin/python3", ...libraries].flatMap((path) => [
    join(realpathSync(dirname(path)), basename(path)),
    realpathSync(path),
  ]);
  const all = [...named, library, "/etc/passwd", "/bin", "/lib", "/lib64"];
  return [...new Set(all.map((path) => path.slice(1)))];
}
