/** Writes millionths of a dollar as dollars, with two to six decimal places. */
export function formatDollars(micros: number | bigint): string {
  return `$${(Number(micros) / 1_000_000).toFixed(6).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}
