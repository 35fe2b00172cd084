import type { AnyRowMaker, RowsOf } from "./ports/projections.ts";

const NONE: readonly never[] = [];

interface Open {
  readonly projection: string;
  readonly rows: object[];
  readonly keys: Set<string | number> | null;
}

type Handler = (entity: unknown, record: object, sequence: number) => object | null;
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
        const row = handler(entity, record, firstSequence + place);
        const maker = makers[index];
        if (row === null || maker === undefined) continue;
        open ??= new Array<Open | undefined>(makers.length).fill(undefined);
        const { keyOf, projection } = maker;
        const list = (open[index] ??= { projection, rows: [], keys: keyOf === undefined ? null : new Set() });
        if (keyOf !== undefined && list.keys !== null) {
          // The row is of the maker's own type.
          const key = keyOf(row as never);
          if (list.keys.has(key)) continue;
          list.keys.add(key);
        }
        list.rows.push(row);
      }
    }
    if (open === undefined) return NONE;
    return open.flatMap((list) => (list === undefined ? [] : [{ projection: list.projection, rows: list.rows }]));
  };
}
