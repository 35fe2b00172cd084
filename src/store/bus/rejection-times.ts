/** Times of rejections, by which lists continue, in whole microseconds: exact in a number for times before 2255. */

const LAST = "timestamptz '2200-01-01'";

/** The column as microseconds since the epoch. A damaged row has the nearest time that lists can continue at. */
export function rejectedUs(column: string): string {
  return `(extract(epoch FROM greatest(least(${column}, ${LAST}), timestamptz 'epoch')) * 1000000)::int8`;
}

/** Whether a list can continue behind the row. It leaves the others out, or it would show them again on every page. */
export function isPlace(column: string): string {
  return `${column} < ${LAST}`;
}
