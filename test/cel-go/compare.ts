/**
 * Random expressions beside cel-go: `node test/cel-go/compare.ts [how many] [seed]`. Ends with 1 when an answer differs
 * and no reason below covers it. Needs Go; not part of CI.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { JsonObject } from "../../src/base/json/json.ts";
import { toValue } from "../../src/flows/expressions/values/json.ts";
import { withMeter } from "../../src/flows/expressions/values/meter.ts";
import {
  Duration,
  ExpressionError,
  ListValue,
  MapValue,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from "../../src/flows/expressions/values/values.ts";
import { evaluate } from "../unit/flows/expressions/evaluate.ts";

const variables: JsonObject = {
  n: 7,
  z: 0,
  d: 2.5,
  s: "text",
  w: "😀é a,b",
  t: true,
  l: [3, 1, 2, 10],
  words: ["a", "bb", "text", "😀"],
  o: { a: 1, b: { c: [1, { e: "f" }] }, s: "text", n: null },
  none: null,
};

/** Differences that are meant, by what the expression, cel-go's answer, and ours look like. docs/flows.md says why. */
const MEANT: readonly { readonly name: string; test(source: string, theirs: string, ours: string): boolean }[] = [
  {
    name: "ints and doubles mix in arithmetic",
    test: (_source, theirs, ours) => theirs.includes("no such overload") && /^\W*[d[{st]|^[ui]|^true|^false/.test(ours),
  },
  {
    name: "whole numbers can be rounded, and lists of numbers of two types sorted",
    test: (source, theirs) => /math\.|sort/.test(source) && /unsupported|same type|no such overload/.test(theirs),
  },
  {
    name: "cel-go refuses math.least([]) while it parses",
    test: (_source, theirs) => theirs.includes("invalid single argument"),
  },
  { name: "milliseconds of a duration are those of its second", test: (source) => source.includes("getMilliseconds") },
  {
    name: "doubles are written as JSON writes them",
    test: (source, theirs) =>
      /1e-7|1e300|9223372036854775/.test(source) && source.includes("string(") && !theirs.startsWith("error"),
  },
  {
    name: "timestamps are written in UTC",
    test: (source, theirs) => source.includes("+02:00") && source.includes("string(") && !theirs.startsWith("error"),
  },
  {
    name: "keys of maps are strings, ints, uints or bools, each once, as the conformance tests have it",
    test: (_source, _theirs, ours) => /key of a map is|the key .* twice/.test(ours),
  },
  {
    name: "names, functions, and literals are checked before anything is evaluated",
    test: (_source, _theirs, ours) => ours.startsWith("refused"),
  },
];

/** A generator of numbers below 2^32 (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Kind = "int" | "double" | "uint" | "string" | "bool" | "list" | "map" | "bytes" | "time" | "duration" | "any";

/**
 * Leaves and forms by type; `$int` stands for another expression of that type, `$x` for the variable of the loop around
 * it.
 */
const FORMS: Readonly<Record<Kind, readonly string[]>> = {
  int: [
    ..."n|z|1|-3|0|9223372036854775807|-9223372036854775808|0x1F|l[0]|o.a|int($double)|int($string)|int($uint)|int($time)|int($duration)".split(
      "|",
    ),
    ..."($int + $int)|($int - $int)|($int * $int)|($int / $int)|($int % $int)|-($int)|size($string)|size($list)|$string.size()|size($map)".split(
      "|",
    ),
    ..."$string.indexOf($string)|$string.indexOf($string, $int)|$string.lastIndexOf($string)|$string.lastIndexOf($string, $int)".split(
      "|",
    ),
    ..."($bool ? $int : $int)|$list[$int]|$map[$string]|$time.getHours()|$time.getDayOfYear()|$time.getDate('Europe/Berlin')|$time.getFullYear('-02:30')".split(
      "|",
    ),
    ..."$duration.getMinutes()|$duration.getMilliseconds()|math.abs($int)|math.sign($int)|math.bitAnd($int, $int)|math.bitShiftLeft($int, $int)".split(
      "|",
    ),
    ..."math.bitShiftRight($int, $int)|math.bitNot($int)|math.greatest($int, $int)|math.least($list)".split("|"),
  ],
  double: [
    ..."d|1.5|-0.0|1e300|1e-7|double($int)|double($string)|($double + $double)|($double - $double)|($double * $double)|($double / $double)".split(
      "|",
    ),
    ..."-($double)|math.round($double)|math.ceil($double)|math.floor($double)|math.trunc($double)|math.sqrt($double)".split(
      "|",
    ),
  ],
  uint: "1u|0u|18446744073709551615u|uint($int)|uint($double)|uint($string)|($uint + $uint)|($uint - $uint)|($uint * $uint)|($uint / $uint)|($uint % $uint)".split(
    "|",
  ),
  string: [
    ..."s|w|''|'a'|\"b,c\"|'😀'|' 5 '|'12'|'1.5'|'-7'|'\\n\\t x'|words[1]|words[3]|($string + $string)|string($int)|string($bool)|string($uint)".split(
      "|",
    ),
    ..."string($double)|string($time)|string($duration)|string($bytes)|$string.charAt($int)|$string.substring($int)|$string.substring($int, $int)".split(
      "|",
    ),
    ..."$string.replace($string, $string)|$string.replace($string, $string, $int)|$string.trim()|$string.upperAscii()|$string.lowerAscii()".split(
      "|",
    ),
    ..."$string.reverse()|words.join($string)|$string.split($string).join($string)|strings.quote($string)|($bool ? $string : $string)".split(
      "|",
    ),
  ],
  bool: [
    ..."true|false|t|has(o.a)|has(o.zz)|has(o.n)|!($bool)|($bool && $bool)|($bool || $bool)|($int == $int)|($int < $double)|($double >= $int)".split(
      "|",
    ),
    ..."($uint <= $int)|($uint > $double)|($string < $string)|($string == $string)|($any == $any)|($any != $any)|($int in $list)|($string in $map)".split(
      "|",
    ),
    ..."($any in $list)|$string.contains($string)|$string.startsWith($string)|$string.endsWith($string)|$string.matches('^[a-z]+$')".split(
      "|",
    ),
    ..."$list.all(x, x > $int)|$list.exists(x, x == $int)|$list.exists_one(x, x == $int)|$list.all(x, $bool)|$list.exists(x, .n == x)".split(
      "|",
    ),
    ..."($time < $time)|($duration >= $duration)|bool($string)|($bytes < $bytes)|type($any) == type($any)|math.isNaN($double)|$map.exists(k, k == $string)".split(
      "|",
    ),
  ],
  list: [
    ..."l|[]|[1, 2, 2]|[$int, $int]|($list + $list)|$list.map(x, x + $int)|$list.filter(x, x > $int)|$list.map(x, x > 1, x)|lists.range($int % 20)".split(
      "|",
    ),
    ..."$list.sort()|$list.distinct()|$list.reverse()|$list.slice($int, $int)|[$list, [$int]].flatten()|[[$list], $int].flatten($int)".split(
      "|",
    ),
  ],
  map: "o|{}|{'a': $int}|{$string: $int}|{$string: $any, $string: $int}|{$int: $string, $string: $int}|o.b".split("|"),
  bytes: "b'abc'|b''|b'\\xff'|bytes($string)|($bytes + $bytes)".split("|"),
  time: [
    ..."timestamp('2026-01-31T08:00:00Z')|timestamp('2026-02-30T00:00:00Z')|timestamp('1969-07-20T20:17:40.5+02:00')|timestamp($int)".split(
      "|",
    ),
    ..."($time + $duration)|($time - $duration)|timestamp(string($time))".split("|"),
  ],
  duration:
    "duration('1h30m')|duration('-0.5s')|duration('')|duration($string)|($duration + $duration)|($time - $time)|-($duration)|duration(string($duration))".split(
      "|",
    ),
  any: "null|none|o.n|$int|$double|$uint|$string|$bool|$list|$map|$bytes|$time|$duration|dyn($any)|[$any]|{'k': $any}.k|{'k': $any}['k']".split(
    "|",
  ),
};
const KINDS = Object.keys(FORMS) as Kind[];

function generate(random: () => number, kind: Kind, depth: number): string {
  // Now and then something of another type.
  const chosen = random() < 0.02 ? (KINDS[Math.floor(random() * KINDS.length)] as Kind) : kind;
  const forms = FORMS[chosen].filter((form) => depth > 0 || !form.includes("$"));
  const form = forms[Math.floor(random() * forms.length)] ?? "null";
  return form.replace(/\$([a-z]+)/g, (_, inner: string) => generate(random, inner as Kind, depth - 1));
}

function hex(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString("hex");
}

function show(value: Value): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return `i${value}`;
  if (typeof value === "string") return `s${hex(value)}`;
  if (typeof value === "number") {
    if (Number.isNaN(value)) return "dNaN";
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, value);
    return `d${bits.getBigUint64(0).toString(16)}`;
  }
  if (value instanceof Uint) return `u${value.value}`;
  if (value instanceof Timestamp) {
    const nanos = ((value.nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    return `t${(value.nanos - nanos) / 1_000_000_000n}.${String(nanos).padStart(9, "0")}`;
  }
  if (value instanceof Duration) return `D${value.nanos}`;
  if (value instanceof TypeValue) return `T${value.name}`;
  if (value instanceof ListValue) return `[${Array.from(value, show).join(",")}]`;
  if (value instanceof MapValue) {
    const entries = Array.from(value.keys(), (key) => `${show(key)}:${show((value as MapValue).get(key) as Value)}`);
    return `{${entries.sort().join(",")}}`;
  }
  return `b${hex(value)}`;
}

function answer(source: string): string {
  try {
    return withMeter(() => show(evaluate(source, values)));
  } catch (cause) {
    const what = cause instanceof ExpressionError ? "error" : "refused";
    return `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

const [, , countText = "5000", seedText = String(Date.now() % 1_000_000)] = process.argv;
const count = Number(countText);
const random = createRandom(Number(seedText));
const values = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, toValue(value)]));
const peer = spawn("go", ["run", "."], { cwd: import.meta.dirname, stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
peer.stdin.write(`${JSON.stringify(variables)}\n`);

const meant = new Map<string, number>();
let differences = 0;
let errors = 0;
for (let index = 0; index < count; index++) {
  const source = generate(random, KINDS[index % KINDS.length] as Kind, 2 + (index % 3));
  peer.stdin.write(`${JSON.stringify(source)}\n`);
  const { value: theirs = "error: cel-go ended" } = await lines.next();
  const ours = answer(source);
  const [theyFail, weFail] = [theirs.startsWith("error"), /^(error|refused)/.test(ours)];
  if (weFail) errors++;
  if (theirs === ours || (theyFail && weFail)) continue;
  const reason = MEANT.find(({ test }) => test(source, theirs, ours));
  if (reason !== undefined) meant.set(reason.name, (meant.get(reason.name) ?? 0) + 1);
  else {
    differences++;
    process.stdout.write(`${source}\n  cel-go: ${theirs}\n  here:   ${ours}\n`);
  }
}
peer.stdin.end();
process.stdout.write(
  `${count} expressions (seed ${seedText}), ${errors} of them errors here, ${differences} differences\n`,
);
for (const [name, times] of meant) process.stdout.write(`${String(times).padStart(6)} meant: ${name}\n`);
process.exitCode = differences === 0 ? 0 : 1;
