/** Containers of the image of the service, by podman: read-only, without capabilities, on the machine's network. */
import { spawnSync } from "node:child_process";
import { onTestFinished } from "vitest";
import { run } from "./deploy-tools.ts";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

const has = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;

/** What building and running need and this machine lacks. */
export const missingForImages: readonly string[] = [
  ...["podman", "buildah", "mmdebstrap"].filter((program) => !has(program)),
  ...(process.getuid?.() === 0 ? [] : ["root"]),
];

// This machine has no systemd, and its limits are below those that podman sets.
const podman = (...args: string[]): Promise<string> =>
  run("podman", ["--runtime", "runc", "--cgroup-manager", "cgroupfs", ...args]);

/** Builds a target of the Dockerfile on bases of Debian's packages; returns tag and id. */
export async function buildImage(target: "full" | "slim", name: string): Promise<{ tag: string; id: string }> {
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  const [tag = "", id = ""] = (
    await run("sh", ["deploy/image/build.sh", "--target", target, "--tag", `localhost/orchestrator-test:${name}`], {
      ENGINE: "buildah",
      BASE: "local",
      BUILDER: "local",
      ...(certificates === undefined ? {} : { CA: certificates }),
    })
  ).split(" ");
  return { tag, id };
}

export interface ContainerOptions {
  readonly memory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further options of `podman run`. */
  readonly options?: readonly string[];
}

/** A container of the service. */
export interface Container {
  readonly name: string;
  readonly port: number;
  readonly metricsPort: number;
  /** Waits until it accepts calls. */
  ready(): Promise<void>;
  /** Runs a program in it and returns what it printed. */
  exec(...words: string[]): Promise<string>;
  /** Sends SIGTERM, which the image names; returns the exit code of the service. */
  stop(): Promise<number>;
  /** Waits for the end, and returns the exit code. */
  ended(): Promise<number>;
  logs(): Promise<string>;
  inspect(format: string): Promise<string>;
}

/** Starts a container that the end of the test removes. */
export async function startContainer(
  tag: string,
  { memory, env = {}, options = [] }: ContainerOptions,
): Promise<Container> {
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const name = `orchestrator-test-${port}`;
  const variables = { PORT: String(port), ORCHESTRATOR_METRICS_PORT: String(metricsPort), ...env };
  await podman(
    ...["run", "--detach", "--name", name, "--network", "host", "--read-only", "--read-only-tmpfs=false"],
    ...["--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", memory, "--memory-swap", memory],
    ...["--ulimit", "nofile=10000:10000", "--ulimit", "nproc=10000:10000"],
    ...Object.entries(variables).flatMap(([key, value]) => ["--env", `${key}=${value}`]),
    ...options,
    tag,
  );
  onTestFinished(async () => {
    await podman("rm", "--force", "--volumes", "--time", "0", name);
  });
  const inspect = (format: string) => podman("inspect", "--format", format, name);
  const logs = () => run("sh", ["-c", 'podman logs "$1" 2>&1', "logs", name]);
  const ended = async (): Promise<number> => Number(await podman("wait", name));
  return {
    ...{ name, port, metricsPort, inspect, logs, ended },
    exec: (...words) => podman("exec", name, ...words),
    async ready() {
      await eventually(
        async () => {
          const state = await inspect("{{.State.Status}}");
          if (state !== "running") throw new Error(`the container is ${state}: ${await logs()}`);
          const { status } = await fetch(`http://127.0.0.1:${port}/readyz`);
          if (status !== 200) throw new Error(`not ready: ${status}`);
        },
        { timeoutMs: 180_000, intervalMs: 200 },
      );
    },
    async stop() {
      await podman("stop", "--time", "60", name);
      return Number(await inspect("{{.State.ExitCode}}"));
    },
  };
}
