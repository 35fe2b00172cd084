import fc from "fast-check";
import { expect, test } from "vitest";
import { parseStoredJson } from "../../../../src/base/json/json-stored.ts";

test("every text that we write is read as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(parseStoredJson(text)).toEqual(JSON.parse(text));
    }),
  );
  for (const text of ['["1e999",1e308,-1.7976931348623157e+308]', `["${"9".repeat(400)}"]`, '{"a1e999":1}'])
    expect(parseStoredJson(text)).toEqual(JSON.parse(text));
});

// Cause: such a number became Infinity when it was read, and every JSON answer that held it was INTERNAL.
test.each(["1e999", "[-1E+400]", `{"a":[{"b":${"9".repeat(400)}}]}`, "[1.5e309]"])("%s is not ours", (text) => {
  expect(() => parseStoredJson(text)).toThrow("a number that no double can be");
});
