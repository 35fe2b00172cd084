/** Prints warnings about flows. */
import type { FlowWarning } from "../../gen/orchestrator/v1/flow_pb.ts";
import { show, writeShown } from "./output.ts";
import { paint } from "./paint.ts";

/** Fields of a warning that are printed. */
export type ShownWarning = Pick<FlowWarning, "code" | "path" | "message" | "cure"> & {
  readonly line?: number;
  readonly column?: number;
};

/**
 * Prints warnings, one per line, in the form that editors and CI parse: `file:line:column: warning: path message; cure
 * [CODE]`.
 */
export function printWarnings(file: string, warnings: readonly ShownWarning[], stream: NodeJS.WriteStream): void {
  for (const { code, path, line = 0, column = 0, message, cure } of warnings) {
    const place = [file, ...(line === 0 ? [] : [line, column])].join(":");
    const where = path === "" ? "" : show`${paint("dim", path, stream)} `;
    writeShown(
      stream,
      show`${place}: ${paint("yellow", "warning:", stream)} ${where}${`${message}${message.endsWith("?") ? "" : ";"} ${cure}`} [${code}]\n`,
    );
  }
}

/** A warning as JSON with the field names of the contract. */
export function toPlainWarning({ code, path, line = 0, column = 0, message, cure }: ShownWarning) {
  return { code, path, line, column, message, cure };
}
