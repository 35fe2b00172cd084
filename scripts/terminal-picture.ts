/**
 * Records the demo on a real terminal and writes it as an animated SVG: node scripts/terminal-picture.ts [FILE]
 *
 * A pseudo-terminal (test/support/terminal.py) runs `make demo`'s program and answers its question. A headless terminal
 * emulator interprets what it prints, and the screens that differ become the frames of the picture. Viewers that cannot
 * animate show the last frame.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { IBufferCell, Terminal } from "@xterm/headless";

// The package is CommonJS that Node finds no names in.
const xterm = createRequire(import.meta.url)("@xterm/headless") as typeof import("@xterm/headless");

const ROOT = join(import.meta.dirname, "..");
const FILE = process.argv[2] ?? join(ROOT, "docs/images/demo.svg");
const COLUMNS = 92;
const ROWS = 30;
const CELL = { width: 8.4, height: 18 };
const PADDING = 16;
const TITLE_HEIGHT = 30;

/** The picture has at most one frame for each period of this length, milliseconds. */
const PERIOD_MS = 300;
/** Longest time that one frame shows: the first start of the embedded database takes seconds. */
const MAX_FRAME_MS = 2_500;
/** How long the question is left unanswered, and how long the last frame stays, milliseconds. */
const QUESTION_MS = 2_500;
const LAST_FRAME_MS = 6_000;

const BACKGROUND = "#0d1117";
const FOREGROUND = "#e6edf3";
const PALETTE = ["#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4"] as const;

interface Frame {
  readonly svg: string;
  readonly at: number;
}

const toXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The attributes that a cell's text is drawn with. */
function styleOf(cell: IBufferCell): string {
  const color = cell.isFgPalette() ? (PALETTE[cell.getFgColor() % 8] ?? FOREGROUND) : FOREGROUND;
  const weight = cell.isBold() ? ' font-weight="bold"' : "";
  const opacity = cell.isDim() ? ' opacity="0.6"' : "";
  return `fill="${color}"${weight}${opacity}`;
}

/** The screen as SVG: one text element for each stretch of cells with one style, fixed to the grid of cells. */
function drawScreen(terminal: Terminal): string {
  const { active } = terminal.buffer;
  const elements: string[] = [];
  for (let row = 0; row < ROWS; row++) {
    const line = active.getLine(active.viewportY + row);
    let stretch = { style: "", text: "", from: 0, cells: 0 };
    const flush = (): void => {
      // Viewers drop spaces at the ends, which would spread the rest over their width.
      const text = stretch.text.trim();
      if (text === "") return;
      const leading = stretch.text.indexOf(text);
      const x = (PADDING + (stretch.from + leading) * CELL.width).toFixed(1);
      const y = TITLE_HEIGHT + PADDING + (row + 0.75) * CELL.height;
      const length = ((stretch.cells - (stretch.text.length - text.length)) * CELL.width).toFixed(1);
      elements.push(`<text x="${x}" y="${y}" textLength="${length}" ${stretch.style}>${toXml(text)}</text>`);
    };
    for (let column = 0; column < COLUMNS; column++) {
      const cell = line?.getCell(column);
      if (cell === undefined || cell.getWidth() === 0) continue;
      const style = styleOf(cell);
      const text = cell.getChars() || " ";
      if (style !== stretch.style) {
        flush();
        stretch = { style, text: "", from: column, cells: 0 };
      }
      // Spaces at the end of a stretch are not drawn, so a gap of two starts a new one.
      if (text === " " && stretch.text.endsWith(" ")) {
        flush();
        stretch = { style: "", text: "", from: column + 1, cells: 0 };
        continue;
      }
      stretch = { ...stretch, text: stretch.text + text, cells: stretch.cells + cell.getWidth() };
    }
    flush();
  }
  return elements.join("\n");
}

/** Runs the demo on a terminal and resolves with the screens that it showed. */
async function record(): Promise<readonly Frame[]> {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  const program = [process.execPath, join(ROOT, "examples/demo/main.ts")];
  const child = spawn("python3", [join(ROOT, "test/support/terminal.py"), `${COLUMNS}`, `${ROWS}`, ...program], {
    cwd: ROOT,
    env: { ...process.env, TERM: "xterm-256color", NO_COLOR: undefined, CI: undefined },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const frames: Frame[] = [];
  const began = performance.now();
  let shown = "";
  let answered = false;
  for await (const chunk of child.stdout) {
    await new Promise<void>((resolve) => terminal.write(chunk, resolve));
    shown += chunk;
    const svg = drawScreen(terminal);
    if (frames.at(-1)?.svg !== svg) frames.push({ svg, at: performance.now() - began });
    if (!answered && shown.includes("Approve? [y]es, [n]o:")) {
      answered = true;
      setTimeout(() => child.stdin.end("y\n"), QUESTION_MS);
    }
  }
  // A spinner changes the screen every 100 ms: of each period the last screen counts.
  const periodOf = (frame: Frame): number => Math.floor(frame.at / PERIOD_MS);
  return frames.filter((frame, index) => {
    const next = frames[index + 1];
    return next === undefined || periodOf(next) !== periodOf(frame);
  });
}

/** The same frames from time 0, none longer than {@link MAX_FRAME_MS}. */
function shorten(frames: readonly Frame[]): readonly Frame[] {
  let at = 0;
  return frames.map(({ svg, at: recordedAt }, index) => {
    const before = frames[index - 1]?.at ?? recordedAt;
    at += Math.min(recordedAt - before, MAX_FRAME_MS);
    return { svg, at };
  });
}

/** The frames one after the other, in a window with a title. */
function toSvg(frames: readonly Frame[]): string {
  const total = (frames.at(-1)?.at ?? 0) + LAST_FRAME_MS;
  const percent = (at: number): string => `${((at / total) * 100).toFixed(2)}%`;
  const width = Math.ceil(COLUMNS * CELL.width + 2 * PADDING);
  const height = TITLE_HEIGHT + ROWS * CELL.height + 2 * PADDING;
  const rules = frames.map(({ at }, index) => {
    const next = frames[index + 1];
    const before = index === 0 ? "" : "0%{visibility:hidden}";
    const after = next === undefined ? "" : `${percent(next.at)}{visibility:hidden}`;
    const animation = `#f${index}{animation:f${index} ${Math.round(total)}ms step-end infinite}`;
    return `@keyframes f${index}{${before}${percent(at)}{visibility:visible}${after}}${animation}`;
  });
  const groups = frames.map(
    ({ svg }, index) =>
      `<g id="f${index}" visibility="${index === frames.length - 1 ? "visible" : "hidden"}">\n${svg}\n</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A run of the demo flow in a terminal">
<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}
@media (prefers-reduced-motion:no-preference){${rules.join("\n")}}</style>
<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>
<circle cx="20" cy="17" r="5" fill="#ff5f57"/><circle cx="38" cy="17" r="5" fill="#febc2e"/><circle cx="56" cy="17" r="5" fill="#28c840"/>
<text x="${width / 2}" y="22" text-anchor="middle" fill="#8b949e">make demo</text>
${groups.join("\n")}
</svg>
`;
}

const frames = shorten(await record());
mkdirSync(dirname(FILE), { recursive: true });
writeFileSync(FILE, toSvg(frames));
console.log(`${FILE}: ${frames.length} frames`);
