/** What operators and functions take and give. Of a name that is not here, nothing is said. */

/** One way to call. Names of types as in `types.ts`, `any` for all; of a method, the target is the first. */
export interface Signature {
  readonly params: readonly string[];
  readonly result: string;
}

const sign = (result: string, ...params: readonly string[]): Signature => ({ params, result });

const NUMBERS = ["int", "double", "uint"] as const;
const arithmetic = [
  sign("int", "int", "int"),
  sign("uint", "uint", "uint"),
  sign("double", "double", "double"),
  sign("double", "int", "double"),
  sign("double", "double", "int"),
];
const comparison = [
  ...NUMBERS.flatMap((left) => NUMBERS.map((right) => sign("bool", left, right))),
  ...["string", "bool", "bytes", "timestamp", "duration"].map((kind) => sign("bool", kind, kind)),
];
const size = ["string", "bytes", "list", "map"].map((kind) => sign("int", kind));
const ofText = (result: string, ...params: readonly string[]): Signature => sign(result, "string", ...params);

const OPERATORS: Readonly<Record<string, readonly Signature[]>> = {
  "_+_": [
    ...arithmetic,
    ...["string", "bytes", "list", "duration"].map((kind) => sign(kind, kind, kind)),
    sign("timestamp", "timestamp", "duration"),
    sign("timestamp", "duration", "timestamp"),
  ],
  "_-_": [
    ...arithmetic,
    sign("duration", "duration", "duration"),
    sign("duration", "timestamp", "timestamp"),
    sign("timestamp", "timestamp", "duration"),
  ],
  "_*_": arithmetic,
  "_/_": arithmetic,
  "_%_": [sign("int", "int", "int"), sign("uint", "uint", "uint")],
  "-_": [sign("int", "int"), sign("double", "double")],
  "!_": [sign("bool", "bool")],
  "_<_": comparison,
  "_<=_": comparison,
  "_>_": comparison,
  "_>=_": comparison,
};

const FUNCTIONS: Readonly<Record<string, readonly Signature[]>> = {
  size,
  int: ["int", "uint", "double", "string", "timestamp"].map((kind) => sign("int", kind)),
  double: ["int", "uint", "double", "string"].map((kind) => sign("double", kind)),
  string: ["string", "int", "uint", "double", "bool", "bytes", "timestamp", "duration"].map((kind) =>
    sign("string", kind),
  ),
  bool: ["bool", "string"].map((kind) => sign("bool", kind)),
  matches: [ofText("bool", "string")],
};

const METHODS: Readonly<Record<string, readonly Signature[]>> = {
  size,
  contains: [ofText("bool", "string")],
  startsWith: [ofText("bool", "string")],
  endsWith: [ofText("bool", "string")],
  matches: [ofText("bool", "string")],
  charAt: [ofText("string", "int")],
  indexOf: [ofText("int", "string"), ofText("int", "string", "int")],
  lastIndexOf: [ofText("int", "string"), ofText("int", "string", "int")],
  lowerAscii: [ofText("string")],
  upperAscii: [ofText("string")],
  trim: [ofText("string")],
  replace: [ofText("string", "string", "string"), ofText("string", "string", "string", "int")],
  split: [ofText("list", "string"), ofText("list", "string", "int")],
  substring: [ofText("string", "int"), ofText("string", "int", "int")],
  join: [sign("string", "list"), sign("string", "list", "string")],
};

/** The signatures of an operator, a function, or a method; undefined when they are not known. */
export function signaturesOf(name: string, isMethod: boolean): readonly Signature[] | undefined {
  const table = isMethod ? METHODS : Object.hasOwn(OPERATORS, name) ? OPERATORS : FUNCTIONS;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
