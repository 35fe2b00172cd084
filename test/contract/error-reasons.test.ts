import { readFileSync } from "node:fs";
import { getOption } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ERROR_REASONS_FILE, LOCAL_CODES, metadataKeysOf, renderErrorReasons } from "../../scripts/error-reasons.ts";
import { GRPC_CODE } from "../../src/base/error-catalog/entry.ts";
import { ERRORS } from "../../src/base/error-catalog.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import { error as errorOption, Repeat } from "../../src/gen/orchestrator/options/v1/options_pb.ts";
import { ErrorReasonSchema } from "../../src/gen/orchestrator/v1/error_pb.ts";
import { ROOT } from "./descriptors.ts";

const REPEAT = { no: Repeat.NEVER, yes: Repeat.SAME_REQUEST, request_id: Repeat.SAME_REQUEST_ID } as const;

test("the enum of reasons has the codes of the catalogue and no others, with what they mean", () => {
  const reasons = ErrorReasonSchema.values.filter(({ number }) => number !== 0);
  const meant = reasons.map((value) => {
    const { code, httpStatus, repeat, metadataKeys } = getOption(value, errorOption);
    return [value.localName, { code, httpStatus, repeat, metadataKeys }] as const;
  });
  const known = (Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => !LOCAL_CODES.includes(code))
    .map((code) => {
      const { grpc, http, retry } = ERRORS[code];
      const metadataKeys = [...metadataKeysOf(code)];
      return [
        code,
        { code: GRPC_CODE[grpc] as number, httpStatus: http as number, repeat: REPEAT[retry], metadataKeys },
      ];
    });
  expect(meant.length).toBeGreaterThan(50);
  expect(Object.fromEntries(meant)).toEqual(Object.fromEntries(known));
});

test("the file of reasons is what the catalogue says (node scripts/error-reasons.ts), and numbers stay when codes come and go", () => {
  const text = readFileSync(`${ROOT}${ERROR_REASONS_FILE}`, "utf8");
  expect(renderErrorReasons(text)).toBe(text);
  const number = /ERROR_REASON_RUN_NOT_FOUND = (\d+)/.exec(text)?.[1];
  const fewer = text.replace(/ {2}\/\/[^\n]*\n {2}ERROR_REASON_INVALID_JSON = 2[^;]*;\n/, "");
  expect(fewer).not.toBe(text);
  const again = renderErrorReasons(fewer);
  expect(again).toContain(`ERROR_REASON_RUN_NOT_FOUND = ${number} `);
  expect(again).toMatch(/ERROR_REASON_INVALID_JSON = \d+ /);
  expect(again).not.toMatch(/ERROR_REASON_INVALID_JSON = 2 /);
});

test("reasons and keys have the form that google.rpc.ErrorInfo asks for", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    expect(code).toMatch(/^[A-Z][A-Z0-9_]{1,61}[A-Z0-9]$/);
    for (const key of metadataKeysOf(code)) expect(key).toMatch(/^[a-z][a-zA-Z0-9]{0,63}$/);
    expect(metadataKeysOf(code)).not.toContain("repeat");
  }
});

// Cause: MESSAGE_TOO_LARGE was RESOURCE_EXHAUSTED, and generic clients sent the same large message again until they
// gave up.
test("what generic clients retry by its code may be sent again", () => {
  const retried = Object.entries(ERRORS).filter(
    ([, { grpc }]) => grpc === "UNAVAILABLE" || grpc === "RESOURCE_EXHAUSTED",
  );
  expect(retried.length).toBeGreaterThan(4);
  expect(retried.filter(([, { retry }]) => retry === "no").map(([code]) => code)).toEqual([]);
});
