/**
 * Projections: tables beside the journal that are written by the statement that commits a transition, so they never
 * disagree with it.
 *
 * A projection has two sides. A {@link RowMaker} builds its rows from the records of a transition; a table of the store
 * (`store/projections`) defines how they are written. `service/projections.ts` joins the two.
 */

/** Rows of one projection that a transition writes. */
export interface ProjectedRows {
  readonly projection: string;
  readonly rows: readonly object[];
}

/** Builds the rows of a projection. Pure and fast: it runs for every transition before its batch is sent. */
export interface RowMaker<Entity, Rec extends { readonly type: string }, Row extends object> {
  /** Name of the projection: unique, and part of statement names. */
  readonly projection: string;
  /**
   * What a record writes, by record type: a row, several rows, or null for none. All records of the transition have
   * been applied, so `entity` is in the state that it will have once the transition is durable. `sequence` is that of
   * the record.
   */
  readonly on: {
    readonly [Type in Rec["type"]]?: (
      entity: Entity,
      record: Extract<Rec, { readonly type: Type }>,
      sequence: number,
    ) => Row | readonly Row[] | null;
  };
  /** Key of a row: of the rows of a transition that share a key, only the first is written. Absent: all are written. */
  readonly keyOf?: (row: Row) => string | number;
}

/** A row maker of any row type, for lists. */
export type AnyRowMaker<Entity, Rec extends { readonly type: string }> = Omit<
  RowMaker<Entity, Rec, object>,
  "keyOf"
> & {
  readonly keyOf?: (row: never) => string | number;
};

/** Builds the rows of all projections that the records of a transition affect; most affect none. */
export type RowsOf<Entity, Rec> = (
  entity: Entity,
  records: readonly Rec[],
  firstSequence: number,
) => readonly ProjectedRows[];
