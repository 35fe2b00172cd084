import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageReader } from "../../../../src/api/grpc/message-reader.ts";
import { isOrchestratorError } from "../../../../src/base/errors.ts";

const LIMIT = 1_000;

function frame(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** What a reader makes of the pieces. */
function read(pieces: readonly Buffer[]): { compressed: boolean; bytes: string }[] {
  const taken: { compressed: boolean; bytes: string }[] = [];
  const reader = new MessageReader(LIMIT, (compressed, bytes) =>
    taken.push({ compressed, bytes: bytes.toString("hex") }),
  );
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return taken;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return isOrchestratorError(error) ? error.code : String(error);
  }
  return "";
}

test("messages are the same however their bytes are cut", () => {
  const message = fc.record({ compressed: fc.boolean(), bytes: fc.uint8Array({ maxLength: 40 }) });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(300), { maxLength: 30 }), (messages, cuts) => {
      const all = Buffer.concat(messages.map(({ compressed, bytes }) => frame(bytes, compressed ? 1 : 0)));
      const places = [0, ...cuts.filter((at) => at < all.length).sort((a, b) => a - b), all.length];
      const pieces = places.slice(1).map((to, index) => all.subarray(places[index], to));
      expect(read(pieces)).toEqual(
        messages.map(({ compressed, bytes }) => ({ compressed, bytes: Buffer.from(bytes).toString("hex") })),
      );
    }),
  );
});

test("a message at the limit is taken, one byte more is refused before it has come", () => {
  expect(read([frame(new Uint8Array(LIMIT))])).toHaveLength(1);
  const head = Buffer.from([0, 0, 0, 0, 0]);
  head.writeUInt32BE(LIMIT + 1, 1);
  expect(codeOf(() => read([head]))).toBe("MESSAGE_TOO_LARGE");
});

test("flags that do not exist, and an end in the middle, are refused", () => {
  expect(codeOf(() => read([frame(new Uint8Array(1), 2)]))).toBe("REQUEST_MALFORMED");
  for (const length of [1, 4, 5, 8]) {
    expect(codeOf(() => read([frame(new Uint8Array(9)).subarray(0, length)]))).toBe("REQUEST_MALFORMED");
  }
});
