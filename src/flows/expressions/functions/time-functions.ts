/** Parts of timestamps and durations. */

import { charge, chargeText } from "../values/meter.ts";
import { type CalendarTime, inZone } from "../values/time.ts";
import { constant, costing, defineMethod, type FunctionDefinition } from "./function.ts";

/** Cost in steps of a lookup in the time zone database. */
const ZONE_STEPS = 50;

/** A component of a timestamp, in UTC or in a zone, and of a duration. */
function part(
  name: string,
  doc: string,
  read: (time: CalendarTime) => number,
  ofDuration?: (nanos: bigint) => bigint,
): FunctionDefinition {
  return defineMethod(
    name,
    doc,
    constant(["timestamp"], "int", (time) => BigInt(read(inZone(time, "UTC")))),
    costing(
      ["timestamp", "string"],
      "int",
      (_time, zone) => {
        chargeText(zone.length);
        charge(ZONE_STEPS);
      },
      (time, zone) => BigInt(read(inZone(time, zone))),
    ),
    ...(ofDuration === undefined ? [] : [constant(["duration"], "int", ({ nanos }) => ofDuration(nanos))]),
  );
}

/** Methods of timestamps and durations. */
export const TIME_FUNCTIONS: readonly FunctionDefinition[] = [
  part("getDate", "Day of the month, from 1. Like all parts in UTC, or in a zone when one is given.", ({ day }) => day),
  part("getDayOfMonth", "Day of the month, from 0.", ({ day }) => day - 1),
  part("getDayOfWeek", "Day of the week, from 0 for Sunday.", ({ weekday }) => weekday),
  part("getDayOfYear", "Day of the year, from 0.", ({ yearday }) => yearday),
  part("getFullYear", "The year.", ({ year }) => year),
  part(
    "getHours",
    "The hour; of a duration, all whole hours.",
    ({ hours }) => hours,
    (nanos) => nanos / 3_600_000_000_000n,
  ),
  part(
    "getMilliseconds",
    "Milliseconds of the second, also of a duration.",
    ({ milliseconds }) => milliseconds,
    (nanos) => (nanos / 1_000_000n) % 1_000n,
  ),
  part(
    "getMinutes",
    "The minute; of a duration, all whole minutes.",
    ({ minutes }) => minutes,
    (nanos) => nanos / 60_000_000_000n,
  ),
  part("getMonth", "The month, from 0.", ({ month }) => month),
  part(
    "getSeconds",
    "The second; of a duration, all whole seconds.",
    ({ seconds }) => seconds,
    (nanos) => nanos / 1_000_000_000n,
  ),
];
