/** Two supervised instances on one database: whichever dies is started again, at its place. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import { type ServiceProcess, startService } from "../crash/campaign/service-process.ts";
import { findFreePort } from "./free-port.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

/**
 * A message that kills owners is rejected after so many deaths of both together at most (deaths.ts). Before it goes
 * alone, its first reader and four owners may die of it; the three of these beyond two speak for it, so six more
 * follow. Mostly it takes four to eight.
 */
export const MOST_DEATHS = 12;

/** The pair. */
export interface KilledPair {
  /** Addresses, `127.0.0.1:port`. */
  readonly addresses: readonly string[];
  /** What both have printed. */
  readonly lines: readonly string[];
  /** Starts again what dies until `isOver`; returns how often each has died. */
  supervise(isOver: () => Promise<boolean>, mostDeaths: number): Promise<readonly number[]>;
}

/** Resolves when both serve. */
export async function openKilledPair(env: Readonly<Record<string, string>>): Promise<KilledPair> {
  const folder = createTemporaryFolder();
  const ports = [await findFreePort(), await findFreePort()];
  const lines: string[] = [];
  const start = (port: number): ServiceProcess =>
    startService({
      ...{ dataDir: join(folder, String(port)), port, logFile: join(folder, `${port}.log`) },
      onLine: (line) => lines.push(line),
      env: {
        ...{ ORCHESTRATOR_LEASE_TTL: "6s", ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_SUSPECT_PAUSE: "200ms" },
        ...env,
      },
    });
  const pair = ports.map(start);
  onTestFinished(async () => {
    for (const service of pair) await service.kill();
  });
  await Promise.all(pair.map(({ serving }) => serving));
  return {
    addresses: ports.map((port) => `127.0.0.1:${port}`),
    lines,
    async supervise(isOver, mostDeaths) {
      const deaths = [0, 0];
      for (;;) {
        for (const [index, service] of pair.entries()) {
          if (!service.isOver) continue;
          deaths[index] = (deaths[index] ?? 0) + 1;
          pair[index] = start(ports[index] ?? 0);
        }
        expect((deaths[0] ?? 0) + (deaths[1] ?? 0)).toBeLessThanOrEqual(mostDeaths);
        if (await isOver()) return deaths;
        await sleep(50);
      }
    },
  };
}
