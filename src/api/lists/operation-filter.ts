/** Filters over operations, with the fields of ListOperations. */
import type { OperationView } from "../../engine/ports/operations.ts";
import { OPERATION_ACTION, OPERATION_STATE } from "../mapping/operation.ts";
import type { Condition, FieldTable, ReadField } from "./condition.ts";
import { parseFilter } from "./filter.ts";

const ACTIONS = Object.keys(OPERATION_ACTION).map((action) => action.toUpperCase());

const FIELDS: FieldTable = {
  operation_id: { kind: "text" },
  state: { kind: "state", values: Object.keys(OPERATION_STATE), prefix: "OPERATION_STATE_" },
  action: { kind: "state", values: ACTIONS, prefix: "OPERATION_ACTION_" },
  started_by: { kind: "text" },
  matched_count: { kind: "number" },
  done_count: { kind: "number" },
  failed_count: { kind: "number" },
  create_time: { kind: "time" },
  update_time: { kind: "time" },
  end_time: { kind: "time" },
};

/** Parses a filter over operations; null for empty text. Error: FILTER_INVALID. */
export function parseOperationFilter(text: string): Condition | null {
  return parseFilter(text, FIELDS);
}

/** Reads fields of an operation for `meetsCondition`. */
export function readOperation(view: OperationView): ReadField {
  return ({ name }) => {
    switch (name) {
      case "operation_id":
        return view.operationId;
      case "state":
        return view.state;
      case "action":
        return view.action?.type.toUpperCase();
      case "started_by":
        return view.by;
      case "matched_count":
        return view.matched;
      case "done_count":
        return view.done;
      case "failed_count":
        return view.failed;
      case "create_time":
        return view.createdAt;
      case "update_time":
        return view.updatedAt;
      default:
        return view.endedAt ?? undefined;
    }
  };
}
