/** The frame of every dashboard: variables, annotations, links, rows. */
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { PAGES } from "../pages.ts";
import { type PanelOf, SOURCE } from "./panel.ts";

/** A dashboard before it is built. */
export interface DashboardPlan {
  /** Alerts name it; it never changes. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly PanelOf[] }[];
}

/** What all of them have; the dropdown of siblings lists dashboards with it. */
const TAG = "orchestrator";

/** How long a deploy is marked. */
const MARK = "5m";

const versions = (offset = ""): string => `count by (version) (orchestrator_build_info{job=~"$job"}${offset})`;

/** Builds it. Panels are numbered in their order, so that links to one survive a reload. */
export function buildDashboard({ uid, title, description, rows }: DashboardPlan): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .time({ from: "now-6h", to: "now" })
    .refresh("1m")
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(createVariables())
    .annotations(createAnnotations())
    .links(createLinks());
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  const dashboard = builder.build();
  for (const [index, panel] of (dashboard.panels ?? []).entries()) panel.id = index + 1;
  // The builders put links and annotations into a menu; they belong where everybody sees them.
  for (const one of [...(dashboard.links ?? []), ...(dashboard.annotations?.list ?? [])]) delete one.placement;
  return dashboard;
}

function createVariables() {
  const valuesOf = (name: string, selector: string) => {
    const query = `label_values(orchestrator_build_info${selector}, ${name})`;
    return new QueryVariableBuilder(name)
      .datasource(SOURCE)
      .query(query)
      .definition(query)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc);
  };
  return [
    new DatasourceVariableBuilder("datasource").type("prometheus").label("Data source"),
    valuesOf("job", "").label("Job").current({ text: "orchestrator", value: "orchestrator", selected: true }),
    valuesOf("instance", '{job=~"$job"}')
      .label("Instance")
      .multi(true)
      .includeAll(true)
      // Instances that are gone by now belong to the picture.
      .allValue(".+")
      .current({ text: "All", value: "$__all", selected: true }),
  ];
}

function createAnnotations() {
  const marked = (name: string, color: string) =>
    new AnnotationQueryBuilder().name(name).datasource(SOURCE).enable(true).iconColor(color).step("60s");
  return [
    marked("Deploys", "blue")
      .expr(`${versions()} unless ${versions(` offset ${MARK}`)}`)
      .titleFormat("Version {{version}}")
      .tagKeys("version"),
    marked("Alerts", "red")
      .expr('ALERTS{service="orchestrator",alertstate="firing",alertname!="DeadMansSwitch"}')
      .titleFormat("{{alertname}}")
      .tagKeys("severity"),
  ];
}

function createLinks() {
  const page = (title: string, url: string) =>
    new DashboardLinkBuilder(title).type(DashboardLinkType.Link).icon("doc").url(url).targetBlank(true);
  return [
    new DashboardLinkBuilder("Dashboards")
      .type(DashboardLinkType.Dashboards)
      .tags([TAG])
      .asDropdown(true)
      .includeVars(true)
      .keepTime(true),
    page("Runbook", PAGES.runbook),
    page("Objectives", PAGES.objectives),
  ];
}
