/** What handlers of the stand-in for Grafana take and give. */

/** A request, its body parsed. */
export interface GrafanaRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

export interface GrafanaAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A dashboard or a folder of the stand-in. */
export interface GrafanaObject {
  readonly uid: string;
  readonly title: string;
  /** Of a dashboard; "" is the root. */
  readonly folder: string;
  readonly version: number;
  /** The dashboard without what the server counts. */
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What the stand-in keeps. */
export interface GrafanaStore {
  readonly dashboards: Map<string, GrafanaObject>;
  readonly folders: Map<string, GrafanaObject>;
}

/** A part of a body as an object; a fault of the caller otherwise. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** Keys of an object that are not among those which the server knows. */
export function unknownKeys(value: Readonly<Record<string, unknown>>, known: readonly string[]): readonly string[] {
  return Object.keys(value).filter((key) => !known.includes(key));
}

/** Whether a text can be a uid. */
export function isUid(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]{1,40}$/.test(value);
}
