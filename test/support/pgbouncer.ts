/** PgBouncer in transaction mode in front of the test server. */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** Whether it is installed (`scripts/ci-services.sh install`). */
export const hasPgBouncer = existsSync(PROGRAM);

/** Starts it for one test, with few connections to the server, so that transactions share them. Returns its URL. */
export async function startPgBouncer(url: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = new URL(url);
  const folder = mkdtempSync("/tmp/orchestrator-pgbouncer-");
  const port = await findFreePort();
  const socket = server.searchParams.get("host") ?? "";
  const database = server.pathname.slice(1);
  const bridge = await bridgeTo(join(socket, `.s.PGSQL.${server.port || "5432"}`));
  const lines = [
    "[databases]",
    `${database} = host=127.0.0.1 port=${bridge} user=${server.username}`,
    "[pgbouncer]",
    ...Object.entries({
      listen_addr: "127.0.0.1",
      listen_port: String(port),
      auth_type: "any",
      pool_mode: "transaction",
      default_pool_size: "4",
      logfile: join(folder, "log"),
      unix_socket_dir: "",
      ...settings,
    }).map(([name, value]) => `${name} = ${value}`),
  ];
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(file, lines.join("\n"));
  // It refuses to run as root.
  const { uid, gid } = statSync(socket);
  const asUser = process.getuid?.() === 0 ? { uid, gid } : {};
  for (const path of [folder, file]) chownSync(path, uid, gid);
  const child: ChildProcess = spawn(PROGRAM, [file], { ...asUser, stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await eventually(() => {
    if (!existsSync(join(folder, "log")) || !readFileSync(join(folder, "log"), "utf8").includes("process up"))
      throw new Error(`PgBouncer is not up: ${child.exitCode ?? "still starting"}`);
  });
  return `postgresql://${server.username}@127.0.0.1:${port}/${database}`;
}

/** A port that forwards to the socket of the server, whose folder only this user can access. */
async function bridgeTo(path: string): Promise<number> {
  const server = createServer((inner) => {
    const outer = connect(path);
    inner.pipe(outer).pipe(inner);
    for (const end of [inner, outer]) end.on("error", () => [inner, outer].forEach((one) => void one.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
