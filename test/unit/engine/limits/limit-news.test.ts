import { expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { LimitNews } from "../../../../src/engine/limits/limit-news.ts";
import type { ClusterView, OtherInstance } from "../../../../src/engine/ports/cluster.ts";
import type { LimitMessage } from "../../../../src/engine/ports/dispatch/limits.ts";
import { eventually } from "../../../support/eventually.ts";

test("a thousand limits are told with one look at the owners of shards, and to their new owners after a change", async () => {
  let looks = 0;
  const instance = (id: string, shards: readonly number[]): OtherInstance => ({
    ...{ id, address: id, leaving: false, owns: true },
    get shards() {
      looks += 1;
      return shards;
    },
  });
  let view: ClusterView = { others: [instance("a", [0, 1]), instance("b", [2, 3])], epochs: 1 };
  const told = new Map<string, number>();
  const tellLimits = async ({ id }: OtherInstance, { changed }: LimitMessage): Promise<void> => {
    told.set(id, (told.get(id) ?? 0) + changed.length);
  };
  const news = new LimitNews({
    instanceId: "me",
    cluster: { view: () => view },
    calls: { tellLimits },
    log: silentLog,
  });
  const tellAll = (): void => {
    for (let index = 0; index < 1_000; index += 1)
      news.changed({ tenantId: "t", name: "crm", key: `k${index}` }, index % 5);
  };
  tellAll();
  // The owner of the fifth shard is not known.
  await eventually(() =>
    expect([...told]).toEqual([
      ["a", 400],
      ["b", 400],
    ]),
  );
  expect(looks).toBe(2);
  view = { others: [instance("a", [0, 1, 2, 3, 4])], epochs: 2 };
  tellAll();
  await eventually(() => expect(told.get("a")).toBe(1_400));
  expect(looks).toBe(3);
});
