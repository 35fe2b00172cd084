/**
 * Items go to the owners of their runs: reports of workers, starts, answers of executors.
 *
 *   an item → where its run is believed to be, or else is → done there
 *                                                         → moved, or out of reach: where it is after a pause, …
 *
 * Items for one place go together, in parts of bounded size. Each part goes its own way, so an instance that stands
 * still delays what it owns, and nothing else. When patience is over, what has not been done has its last result.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { gatherCalls } from "../../base/time/gather-calls.ts";
import type { Cluster, Place } from "../../engine/ports/cluster.ts";
import { Unreached } from "./forward-send.ts";

/** How long to look for the owner of a run, milliseconds. */
export const PATIENCE_MS = 3_000;

/** The pause between attempts, milliseconds. */
const PAUSE_MS = 50;

/** What is done with items. */
export interface OwnersWork<Item, Result> {
  readonly cluster: Pick<Cluster, "ownerOf" | "locate">;
  /** Run of an item; empty: any instance that accepts starts. */
  runOf(item: Item): string;
  /** Does items of runs of this instance. One result for each, in their order. */
  here(items: readonly Item[]): Promise<readonly Result[]>;
  /** Items of this instance are done one by one, so that none of them waits for another. */
  readonly areApart?: boolean;
  /** The same at another instance. */
  there(address: string, items: readonly Item[]): Promise<readonly Result[]>;
  /** The run by which an item is sent on, as {@link OwnersWork.runOf}; null: its result stands. */
  movedTo(result: Result, item: Item): string | null;
  /**
   * The result of an item that an attempt left without one: why the attempt failed as a whole; null: the run has no
   * owner at the moment, or its owner gave no result. An error that it throws rejects the item.
   */
  failed(item: Item, why: unknown): Result;
  /** Items of one call, at most. */
  readonly maxItems?: number;
  /** Size of an item, and of the items of one call, in any unit. One item may be larger. */
  readonly sizeOf?: (item: Item) => number;
  readonly maxSize?: number;
}

/** How long owners are looked for. */
export interface OwnersPatience {
  readonly ms: number;
  /** Aborted: items that have no result that stands are rejected. */
  readonly signal: AbortSignal;
}

/** An item on its way. */
interface Entry<Item, Result> {
  readonly item: Item;
  runId: string;
  /** Of the last attempt. */
  result: Result | undefined;
  readonly done: PromiseWithResolvers<Result>;
}

/** Sends each item to the owner of its run. One promise for each, in their order. */
export function sendToOwners<Item, Result>(
  work: OwnersWork<Item, Result>,
  items: readonly Item[],
  patience: OwnersPatience,
): readonly Promise<Result>[] {
  const entries = items.map(
    (item): Entry<Item, Result> => ({
      item,
      runId: work.runOf(item),
      result: undefined,
      done: Promise.withResolvers(),
    }),
  );
  if (entries.length > 0) void new Sending(work, patience).begin(entries);
  return entries.map(({ done }) => done.promise);
}

/**
 * Gathers the items that come in one turn of the event loop, and sends them to the owners of their runs together. Each
 * has patience of its own.
 */
export function gatherForOwners<Item, Result>(
  work: OwnersWork<Item, Result>,
  patience: OwnersPatience,
): (item: Item) => Promise<Result> {
  return gatherCalls(async (items: readonly Item[]) => sendToOwners(work, items, patience));
}

class Sending<Item, Result> {
  readonly #work: OwnersWork<Item, Result>;
  readonly #signal: AbortSignal;
  readonly #giveUpAt: number;

  constructor(work: OwnersWork<Item, Result>, { ms, signal }: OwnersPatience) {
    this.#work = work;
    this.#signal = signal;
    this.#giveUpAt = performance.now() + ms;
  }

  /**
   * The first attempt goes by what is known here of the owners; what is not known, and later attempts, by the store.
   * Never rejects.
   */
  async begin(entries: readonly Entry<Item, Result>[]): Promise<void> {
    const { cluster } = this.#work;
    const guesses = new Map(entries.map((entry) => [entry, entry.runId === "" ? null : cluster.ownerOf(entry.runId)]));
    const unknown = entries.filter((entry) => guesses.get(entry) === null);
    await Promise.all([
      this.#sendTo(
        entries.filter((entry) => guesses.get(entry) !== null),
        (entry) => guesses.get(entry) ?? null,
      ),
      this.#locate(unknown, undefined),
    ]);
  }

  async #locate(entries: readonly Entry<Item, Result>[], unreachable: string | undefined): Promise<void> {
    const runs = [...new Set(entries.map(({ runId }) => runId))];
    const located = runs.map((runId) => this.#work.cluster.locate(runId, unreachable).catch((error: Error) => error));
    const places = new Map((await Promise.all(located)).map((place, index) => [runs[index], place]));
    await this.#sendTo(entries, ({ runId }) => places.get(runId) ?? null);
  }

  async #sendTo(
    entries: readonly Entry<Item, Result>[],
    placeOf: (entry: Entry<Item, Result>) => Place | null | Error,
  ): Promise<void> {
    const { areApart = false } = this.#work;
    const groups = Map.groupBy(entries, (entry) => {
      const place = placeOf(entry);
      return place === null || place === "here" || place instanceof Error ? place : place.address;
    });
    const parts = [...groups].flatMap(([place, group]) => {
      const isHere = place === "here";
      const all = isHere && areApart ? group.map((entry) => [entry]) : isHere ? [group] : this.#partsOf(group);
      return all.map((part) => this.#do(place, part));
    });
    await Promise.all(parts);
  }

  /** An attempt at a place: here, or an address. Null: there is none; an error: it was not found. */
  async #do(place: string | null | Error, entries: readonly Entry<Item, Result>[]): Promise<void> {
    const { here, there, movedTo } = this.#work;
    const items = entries.map(({ item }) => item);
    let results: readonly Result[] = [];
    let failure: unknown = null;
    try {
      if (place instanceof Error) throw place;
      if (place !== null) results = await (place === "here" ? here(items) : there(place, items));
    } catch (error) {
      failure = error;
    }
    // Nothing has happened to what has no place, or nobody there.
    const isOpen = place === null || failure instanceof Unreached;
    const moved: Entry<Item, Result>[] = [];
    for (const [index, entry] of entries.entries()) {
      try {
        entry.result = index < results.length ? (results[index] as Result) : this.#work.failed(entry.item, failure);
        const runId = isOpen ? entry.runId : movedTo(entry.result, entry.item);
        if (runId === null) entry.done.resolve(entry.result);
        else moved.push(Object.assign(entry, { runId }));
      } catch (error) {
        entry.done.reject(error);
      }
    }
    await this.#again(moved, failure instanceof Unreached ? failure.address : undefined);
  }

  async #again(entries: readonly Entry<Item, Result>[], unreachable: string | undefined): Promise<void> {
    if (entries.length === 0) return;
    if (performance.now() + PAUSE_MS >= this.#giveUpAt) {
      for (const { done, result } of entries) done.resolve(result as Result);
      return;
    }
    try {
      await sleep(PAUSE_MS, undefined, { signal: this.#signal });
    } catch (error) {
      for (const { done } of entries) done.reject(error);
      return;
    }
    await this.#locate(entries, unreachable);
  }

  #partsOf(entries: readonly Entry<Item, Result>[]): Entry<Item, Result>[][] {
    const { maxItems = Number.POSITIVE_INFINITY, maxSize = Number.POSITIVE_INFINITY, sizeOf = () => 0 } = this.#work;
    const parts: Entry<Item, Result>[][] = [];
    let part: Entry<Item, Result>[] = [];
    let size = 0;
    for (const entry of entries) {
      const added = sizeOf(entry.item);
      if (part.length === 0 || part.length >= maxItems || size + added > maxSize) {
        part = [];
        size = 0;
        parts.push(part);
      }
      part.push(entry);
      size += added;
    }
    return parts;
  }
}
