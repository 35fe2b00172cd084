import type { OutboxRow } from "../../engine/ports/bus/outbox.ts";
import { number, text, time } from "../journal/columns.ts";
import { defineTable } from "../journal/projection-table.ts";

/** An existing row has not been sent. Ids increase in the order of the batch. */
export const outboxTable = defineTable<OutboxRow>("outbox", {
  columns: {
    shard: number("int2", (_, { shard }) => shard),
    task_path: text(({ taskPath }) => taskPath),
    tenant_id: text(({ tenantId }) => tenantId),
    kind: text(({ kind }) => kind),
    destination: text(({ destination }) => destination),
    topic: text(({ topic }) => topic),
    key: text(({ key }) => key),
    payload: text(({ content }) => JSON.stringify(content)),
    sequence: number("int4", ({ sequence }) => sequence),
    created_at: time(({ at }) => at),
  },
  write: ({ insert }) => `${insert}\n  ORDER BY r.place`,
  // The primary key begins with the shard. Who has an attempt of a deleted run is still to be told.
  ofRun: "t.shard = $1 AND t.run_id = g.run_id AND t.kind <> 'control'",
});
