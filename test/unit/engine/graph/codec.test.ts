import { AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { Overwrite, Send } from "@langchain/langgraph";
import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../../../../src/base/json/json.ts";
import { decodeValue, encodeValue, MAX_STATE_DEPTH, toPlainJson } from "../../../../src/engine/graph/codec.ts";

const roundTrip = (value: unknown) => decodeValue(encodeValue(value, "x"), "x");

describe("values of graphs", () => {
  test("any JSON comes back as it was, keys that look like kinds included", () => {
    const key = fc.oneof(
      fc.constantFrom("$", "lc", "type", "value", "constructor", "toString"),
      fc.string({ unit: "grapheme" }),
    );
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 5 },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: "grapheme" }),
        fc.array(tie("json"), { maxLength: 4 }),
        fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    const storable = (value: unknown) => !/\\u0000|"__proto__"/.test(JSON.stringify(value));
    fc.assert(
      fc.property(json.filter(storable), (value) => {
        // -0 has no JSON form.
        expect(roundTrip(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });

  test("what LangGraph itself keeps comes back as what it was", () => {
    const messages = [
      new HumanMessage({ id: "1", content: "hi", additional_kwargs: { $: "undefined" } }),
      new AIMessage({ id: "2", content: "", tool_calls: [{ id: "c", name: "look", args: { at: 1 } }] }),
      new ToolMessage({ id: "3", content: "seen", tool_call_id: "c" }),
      new SystemMessage("be kind"),
    ];
    const [human, ai, tool, system] = roundTrip(messages) as typeof messages;
    expect(human).toBeInstanceOf(HumanMessage);
    expect(human?.additional_kwargs).toEqual({ $: "undefined" });
    expect((ai as AIMessage).tool_calls).toMatchObject([{ id: "c", name: "look", args: { at: 1 } }]);
    expect(tool).toBeInstanceOf(ToolMessage);
    expect(system?.content).toBe("be kind");
    expect(roundTrip(new RemoveMessage({ id: "1" }))).toBeInstanceOf(RemoveMessage);
    expect(roundTrip(new Send("node", { a: [1] }))).toMatchObject({ node: "node", args: { a: [1] } });
    expect(roundTrip(new DeltaSnapshot({ a: 1 }))).toEqual(new DeltaSnapshot({ a: 1 }));
    expect(roundTrip(new Overwrite([1]))).toMatchObject({ lg_name: "Overwrite", value: [1] });
    expect(roundTrip([undefined])).toEqual([undefined]);
    expect(roundTrip(undefined)).toBeUndefined();
  });

  test.each([
    ["a date", new Date(0), "Date"],
    ["a map", { a: new Map() }, "Map"],
    ["a set", [new Set()], "Set"],
    ["bytes", new Uint8Array(2), "Uint8Array"],
    ["a function", () => 1, "function"],
    ["a big integer", 1n, "bigint"],
    ["NaN", Number.NaN, "NaN"],
    ["NUL", "a\u0000", "NUL"],
    ["half a pair", { "\ud800": 1 }, "surrogate"],
    ["a prototype", JSON.parse('{"__proto__":1}'), "__proto__"],
  ])("%s is refused by name", (_, value, name) => {
    expect(() => encodeValue(value, "channel")).toThrow(expect.objectContaining({ code: "GRAPH_STATE_INVALID" }));
    expect(() => encodeValue(value, "channel")).toThrow(name);
    expect(() => encodeValue(value, "channel")).toThrow("channel");
  });

  test("circles and depths end with an error, not with the stack", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => encodeValue(circle, "x")).toThrow("nests deeper");
    let deep: Json = 1;
    for (let level = 0; level < MAX_STATE_DEPTH - 1; level += 1) deep = { $: deep };
    expect(roundTrip(deep)).toEqual(deep);
    for (let level = 0; level < 3; level += 1) deep = [deep];
    expect(() => encodeValue(deep, "x")).toThrow("nests deeper");
    expect(() => decodeValue("[".repeat(100_000), "x")).toThrow(
      expect.objectContaining({ code: "GRAPH_STATE_INVALID" }),
    );
  });

  test.each([
    `{"$":"function"}`,
    `{"$":1}`,
    `{"$":null}`,
    `{"$":"message","type":"human"}`,
    `{"$":"message","type":"constructor","data":{}}`,
    `{"$":"send"}`,
    `{"$":"object","value":[]}`,
    `{"a":{"__proto__":{}}}`,
    `{"$":"object","value":{"__proto__":1}}`,
    `{"$":"delta","value":{"$":"x"}}`,
    "NaN",
    "",
    `"\\u0000"`,
  ])("text that was not written by us is refused: %s", (text) => {
    expect(() => decodeValue(text, "x")).toThrow(expect.objectContaining({ code: "GRAPH_STATE_INVALID" }));
  });

  test("LangChain's own form of objects stays data", () => {
    const planted = {
      lc: 1,
      type: "constructor",
      id: ["langchain_core", "messages", "HumanMessage"],
      kwargs: { content: "x" },
    };
    expect(decodeValue(JSON.stringify(planted), "x")).toEqual(planted);
    expect(decodeValue(JSON.stringify({ lc: 2, type: "undefined" }), "x")).toEqual({ lc: 2, type: "undefined" });
  });

  test("outputs are plain: messages as objects, wrapped objects as they were", () => {
    const value = {
      messages: [new HumanMessage({ id: "1", content: "hi" })],
      odd: { $: 1 },
      nothing: undefined,
      list: [undefined],
    };
    expect(toPlainJson(value, "x")).toMatchObject({
      messages: [{ type: "human", id: "1", content: "hi" }],
      odd: { $: 1 },
      list: [null],
    });
  });
});
