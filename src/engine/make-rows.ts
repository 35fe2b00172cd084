import type { AnyRowMaker, RowMaker, RowsOf } from "./ports/projections.ts";

const NONE: readonly never[] = [];

interface Open {
  readonly projection: string;
  readonly rows: object[];
  readonly keys: Set<string | number> | null;
}

type Handler = (entity: unknown, record: object, sequence: number) => object | readonly object[] | null;
type Step = readonly [maker: number, handler: Handler];

/**
 * Combines the row makers of one kind of entity into one function. A transition that touches no projection allocates
 * nothing. Throws if two makers have the same name.
 */
export function createRowsOf<Entity, Rec extends { readonly type: string }>(
  makers: readonly AnyRowMaker<Entity, Rec>[],
): RowsOf<Entity, Rec> {
  const names = makers.map((maker) => maker.projection);
  if (new Set(names).size < names.length) throw new Error(`two row makers share a name: ${names.join(", ")}`);
  const steps = new Map<string, Step[]>();
  for (const [index, { on }] of makers.entries()) {
    for (const [type, handler] of Object.entries(on)) {
      // `on` pairs each handler with one type of record, and the lookup by type preserves that.
      const step = [index, handler as Handler] as const;
      steps.set(type, [...(steps.get(type) ?? []), step]);
    }
  }
  return (entity, records, firstSequence) => {
    let open: (Open | undefined)[] | undefined;
    for (let place = 0; place < records.length; place += 1) {
      const record = records[place];
      const matching = record === undefined ? undefined : steps.get(record.type);
      if (record === undefined || matching === undefined) continue;
      for (const [index, handler] of matching) {
        const made = handler(entity, record, firstSequence + place);
        const maker = makers[index];
        if (made === null || maker === undefined || (Array.isArray(made) && made.length === 0)) continue;
        open ??= new Array<Open | undefined>(makers.length).fill(undefined);
        const { keyOf, projection } = maker;
        const list = (open[index] ??= { projection, rows: [], keys: keyOf === undefined ? null : new Set() });
        for (const row of Array.isArray(made) ? (made as readonly object[]) : [made]) {
          if (keyOf !== undefined && list.keys !== null) {
            // The row is of the maker's own type.
            const key = keyOf(row as never);
            if (list.keys.has(key)) continue;
            list.keys.add(key);
          }
          list.rows.push(row);
        }
      }
    }
    if (open === undefined) return NONE;
    return open.flatMap((list) => (list === undefined ? [] : [{ projection: list.projection, rows: list.rows }]));
  };
}

type Tables<Entity, Rec extends { readonly type: string }, Row extends object> = RowMaker<Entity, Rec, Row>["on"];

/** Joins what several tables make of each record, in their order: one projection may have rows from several of them. */
export function mergeTables<Entity, Rec extends { readonly type: string }, Row extends object>(
  ...tables: readonly Tables<Entity, Rec, Row>[]
): Tables<Entity, Rec, Row> {
  const handlers = new Map<string, Handler[]>();
  for (const [type, handler] of tables.flatMap((table) => Object.entries(table)))
    handlers.set(type, [...(handlers.get(type) ?? []), handler as Handler]);
  const merged = [...handlers].map(([type, [first, ...others]]): readonly [string, Handler | undefined] => [
    type,
    first === undefined || others.length === 0
      ? first
      : (entity, record, sequence) => [first, ...others].flatMap((handler) => handler(entity, record, sequence) ?? []),
  ]);
  // Each handler stands where its table has it.
  return Object.fromEntries(merged) as Tables<Entity, Rec, Row>;
}
