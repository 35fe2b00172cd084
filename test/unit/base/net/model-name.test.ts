import { expect, test } from "vitest";
import { canonicalModel, isModelName, knownModel } from "../../../../src/base/net/model-name.ts";

// Cause: a model that was switched off was called by another spelling of its name.
test.each([
  "open/small",
  "open/SMALL",
  "open/small ",
  " open/small",
  "open/small\u200b",
  "open/sm\u00adall",
  "open/sm\u3164all",
  "open/small\ufe0f",
  "open/\uff53mall",
  "open/./small",
  "open//small",
  "open/x/../small",
  "open/small/",
])("spellings of one model have one form: %j", (name) => {
  expect(canonicalModel(name)).toBe("open/small");
});

test("other models have other forms, and a name is made of what is seen", () => {
  expect(canonicalModel("open/small-2")).not.toBe("open/small");
  expect(canonicalModel("open/meta/Llama-3:8b")).toBe("open/meta/llama-3:8b");
  for (const name of ["small", "meta/Llama-3:8b", "модель", "ft:gpt@x"]) expect(isModelName(name), name).toBe(true);
  for (const name of [
    "",
    " small",
    "sm all",
    "small\n",
    "small\u200b",
    "sm\u3164all",
    "\ufeffsmall",
    "small\0",
    "\ud800",
  ])
    expect(isModelName(name), name).toBe(false);
});

test("what is known of a model is found by each of its spellings, its own first", () => {
  const known = new Map([
    ["small", 1],
    ["Large", 2],
    ["large", 3],
  ]);
  expect(knownModel("./SMALL", known)).toBe("small");
  expect(knownModel("large", known)).toBe("large");
  expect(knownModel("tiny", known)).toBe("tiny");
});
