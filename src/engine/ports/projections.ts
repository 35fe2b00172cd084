/**
 * Projections: tables beside the journal that are written by the statement that commits a move, so that they never disagree with it.
 *
 * A projection has two sides. A {@link RowMaker} makes its rows from the records of a move; a table of the store (`store/projections`) says how they are
 * written. `service/projections.ts` joins the two.
 */

/** Rows of one projection that a move writes. */
export interface ProjectedRows {
  readonly projection: string;
  readonly rows: readonly object[];
}

/** Makes the rows of a projection. Pure, and quick: it runs for every move before its batch is sent. */
export interface RowMaker<Entity, Rec extends { readonly type: string }, Row extends object> {
  /** Name of the projection. Unique; part of the names of statements. */
  readonly projection: string;
  /**
   * The row that a record writes, by type of the record; null: none. All records of the move have been applied, so `entity` is what it will be when the move is
   * durable. `sequence` is that of the record.
   */
  readonly on: {
    readonly [Type in Rec["type"]]?: (
      entity: Entity,
      record: Extract<Rec, { readonly type: Type }>,
      sequence: number,
    ) => Row | null;
  };
  /** What identifies a row: of the rows of a move that share it the first is written. Absent: each is written. */
  readonly keyOf?: (row: Row) => string | number;
}

/** A row maker in a list of them. */
export type AnyRowMaker<Entity, Rec extends { readonly type: string }> = Omit<
  RowMaker<Entity, Rec, object>,
  "keyOf"
> & {
  readonly keyOf?: (row: never) => string | number;
};

/** Makes the rows of all projections that the records of a move touch; most touch none. */
export type RowsOf<Entity, Rec> = (
  entity: Entity,
  records: readonly Rec[],
  firstSequence: number,
) => readonly ProjectedRows[];
