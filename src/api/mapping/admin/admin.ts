/** What operators ask of processes, as messages. */
import { create } from "@bufbuild/protobuf";
import type { DiagnosticText } from "../../../engine/ports/admin/diagnostics.ts";
import type { LineLevel, LogControl } from "../../../engine/ports/admin/log-control.ts";
import {
  type DiagnosticFile,
  DiagnosticFileSchema,
  type InstanceLogLevels,
  InstanceLogLevelsSchema,
} from "../../../gen/orchestrator/v1/admin_service_pb.ts";
import { LogLevel } from "../../../gen/orchestrator/v1/run_event_pb.ts";
import { toTimestamp } from "../time.ts";

const LEVELS: Readonly<Record<LineLevel, LogLevel>> = {
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
};

/** Longest text of a file, characters. */
const MAX_LENGTH = 1_000_000;

/** Null: none is set. */
export function fromLineLevel(level: LogLevel): LineLevel | null {
  const found = Object.entries(LEVELS).find(([, one]) => one === level);
  return found === undefined ? null : (found[0] as LineLevel);
}

export function toInstanceLogLevels(
  instanceId: string,
  control: Pick<LogControl, "configured" | "overrides">,
): InstanceLogLevels {
  return create(InstanceLogLevelsSchema, {
    instanceId,
    configuredLevel: LEVELS[control.configured],
    overrides: control.overrides().map(({ component, level, until, by, why }) => ({
      component: component ?? "",
      level: LEVELS[level],
      expireTime: toTimestamp(until),
      actor: by,
      reason: why,
    })),
  });
}

/** Cuts what is too long at a line. */
export function toDiagnosticFile({ name, content }: DiagnosticText): DiagnosticFile {
  if (Buffer.byteLength(content) <= MAX_LENGTH) return create(DiagnosticFileSchema, { name, content });
  const kept = Buffer.from(content)
    .subarray(0, MAX_LENGTH - 100)
    .toString("utf8")
    .replace(/\n[^\n]*$/, "\n");
  return create(DiagnosticFileSchema, { name, content: `${kept}# cut here: there is more\n` });
}
