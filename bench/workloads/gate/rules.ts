/**
 * What the content rules cost, against SHA-256 of the same text. Only ratios within one process count. Of each text
 * the best of many short rounds counts, so that others on the machine disturb little.
 *
 *   ordinaryShare   4 KB of what a person might write, in ASCII
 *   worstShare      the worst of the hostile texts, 4 KB of characters each
 *   lengthShare     256 KB ÷ 64 times 4 KB, the worst of all texts
 */
import { createHash } from "node:crypto";
import { createContentScanner } from "../../../src/guards/content/scan.ts";
import { serveFigures } from "../../harness/figures.ts";
import { HOSTILE_TEXTS, ORDINARY_TEXT } from "./texts.ts";

const SHORT = 4_096;
const LONG = 262_144;

serveFigures(async (settings) => {
  const rounds = Number(settings.rounds);
  const scanner = createContentScanner();
  const shares = new Map<string, { readonly share: number; readonly length: number }>();
  for (const [name, text] of Object.entries({ ordinary: ORDINARY_TEXT, ...HOSTILE_TEXTS })) {
    const [short, long] = [repeat(text, SHORT), repeat(text, LONG)];
    const scan = bestOf(rounds, 10, () => scanner.scan(short));
    const hash = bestOf(rounds, 10, () => createHash("sha256").update(short).digest());
    const whole = bestOf(Math.ceil(rounds / 20), 1, () => scanner.scan(long));
    shares.set(name, { share: scan / hash, length: whole / (64 * scan) });
  }
  const { share: ordinaryShare = Number.NaN } = shares.get("ordinary") ?? {};
  return {
    ordinaryShare,
    worstShare: Math.max(...Array.from(shares.values(), ({ share }) => share)),
    lengthShare: Math.max(...Array.from(shares.values(), ({ length }) => length)),
  };
});

function repeat(text: string, length: number): string {
  // A flat text, as one that was received.
  return Buffer.from(text.repeat(Math.ceil(length / text.length)).slice(0, length)).toString();
}

/** Milliseconds of one call, the least of the averages of short rounds. */
function bestOf(rounds: number, calls: number, call: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    for (let index = 0; index < calls; index++) call();
    best = Math.min(best, (performance.now() - began) / calls);
  }
  return best;
}
