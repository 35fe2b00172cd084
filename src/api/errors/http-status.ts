/** HTTP status of a gRPC code in Connect. */
export function toConnectHttp(code: number): number {
  return HTTP[code] ?? 500;
}

const HTTP: Readonly<Record<number, number>> = {
  1: 499,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 400,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
};
