const NO_MESSAGES = "there are no protobuf messages, so no wrappers and enums";
const NO_DOTS = "names with dots do not exist; a dot is always a member";
const ROUNDING = "whole JSON numbers are ints, so rounding takes ints too";
const OUT_OF_RANGE = "-1, as cel-go has it since v0.26";
const NO_FUNCTION = "functions that do not exist are refused at registration";

/**
 * Sections of the conformance tests (or a beginning of their path, with *) that need not pass, each with its reason.
 * The table in docs/flows.md says the same.
 */
export const DEVIATIONS: Readonly<Record<string, string>> = {
  "basic/variables/unbound_is_runtime_error": "names that do not exist are refused at registration",
  "basic/functions/unbound_is_runtime_error": NO_FUNCTION,
  bindings_ext: "there is no `cel.bind`; use a variable of the flow",
  block_ext: "`cel.block` is written by optimizers, not by authors",
  "comparisons/eq_literal/eq_dyn_json_null": NO_MESSAGES,
  "comparisons/eq_literal/not_eq_dyn_proto*": NO_MESSAGES,
  "comparisons/eq_wrapper": NO_MESSAGES,
  "comparisons/ne_literal/ne_proto*": NO_MESSAGES,
  dynamic: NO_MESSAGES,
  encoders_ext: "there is no `base64`; bytes become base64 in JSON automatically",
  enums: NO_MESSAGES,
  "fields/qualified_identifier_resolution": NO_DOTS,
  macros2: "loops have one variable; `lists.range(size(x))` gives positions",
  "math_ext/ceil/dyn_error": ROUNDING,
  "math_ext/floor/dyn_error": ROUNDING,
  "math_ext/round/dyn_error": ROUNDING,
  "math_ext/trunc/dyn_error": ROUNDING,
  namespace: NO_DOTS,
  optionals: "there are no optional values; test with `has`",
  "parse/comments": NO_MESSAGES,
  "parse/nest/message_literal": NO_MESSAGES,
  "parse/receiver_function_names": NO_FUNCTION,
  "parse/repeat/message_literal": NO_MESSAGES,
  "parse/repeat/select": NO_MESSAGES,
  "parse/struct_field_names": NO_MESSAGES,
  "parse/whitespace": NO_MESSAGES,
  proto2: NO_MESSAGES,
  proto2_ext: NO_MESSAGES,
  proto3: NO_MESSAGES,
  "string_ext/format": "there is no `format`; use `${…}` in text",
  "string_ext/value_errors/indexof_out_of_range": OUT_OF_RANGE,
  "string_ext/value_errors/lastindexof_out_of_range": OUT_OF_RANGE,
  type_deductions: "types are known when an expression is evaluated",
  wrappers: NO_MESSAGES,
};
