/** The dashboards as they are committed, as far as tests read them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const FOLDER = join(import.meta.dirname, "../../../observability/dashboards");

export interface Source {
  readonly type: string;
  readonly uid: string;
}

export interface Link {
  readonly title: string;
  readonly type: string;
  readonly url?: string;
  readonly tags?: readonly string[];
}

export interface Target {
  readonly refId: string;
  readonly datasource: Source;
  readonly expr: string;
  readonly legendFormat: string;
  readonly exemplar?: boolean;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource: Source;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly Target[];
  readonly links?: readonly Link[];
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } };
}

export interface Committed {
  readonly file: string;
  readonly uid: string;
  readonly id?: number;
  readonly title: string;
  readonly tags: readonly string[];
  readonly links: readonly Link[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly annotations: { readonly list: readonly (Target & { readonly name: string })[] };
  /** Without rows. */
  readonly panels: readonly Panel[];
}

/** All files of the folder. */
export const COMMITTED: readonly Committed[] = readdirSync(FOLDER).map((file) => {
  const read = JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Committed;
  return { ...read, file, panels: read.panels.filter(({ type }) => type !== "row") };
});

/** A query with the place where it is. */
export interface Placed {
  readonly place: string;
  readonly expr: string;
  readonly legend: string;
}

/** All queries: those of panels, and those of annotations, which all dashboards share. */
export const QUERIES: readonly Placed[] = COMMITTED.flatMap(({ uid, panels, annotations }) => [
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ refId, expr, legendFormat }) => ({
      place: `${uid}: ${title} ${refId}`,
      expr,
      legend: legendFormat,
    })),
  ),
  ...annotations.list.map(({ name, expr }) => ({ place: `${uid}: annotation ${name}`, expr, legend: "" })),
]);

/** Puts values of variables into a query, as Grafana does. */
export function interpolate(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replaceAll(/\$([a-z_]+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`there is no variable ${name}: ${expr}`);
    return value;
  });
}
