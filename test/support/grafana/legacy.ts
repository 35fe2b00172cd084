/** The part of Grafana's API below /api that reads and writes folders and dashboards. */
import {
  asObject,
  type GrafanaAnswer,
  type GrafanaObject,
  type GrafanaRequest,
  type GrafanaStore,
  isUid,
  unknownKeys,
} from "./answers.ts";

const refuse = (status: number, message: string, kind?: string): GrafanaAnswer => ({
  status,
  body: { message, ...(kind === undefined ? {} : { status: kind }) },
});

/** Answers a request below /api; undefined if there is no such path. */
export function answerLegacy(store: GrafanaStore, request: GrafanaRequest): GrafanaAnswer | undefined {
  const { method, path } = request;
  const folder = /^\/api\/folders\/([^/]+)$/.exec(path)?.[1];
  const dashboard = /^\/api\/dashboards\/uid\/([^/]+)$/.exec(path)?.[1];
  if (path === "/api/folders" && method === "POST") return createFolder(store, request.body);
  if (folder !== undefined && method === "GET") {
    const found = store.folders.get(folder);
    return found === undefined
      ? refuse(404, "folder not found", "not-found")
      : { status: 200, body: showFolder(found) };
  }
  if (folder !== undefined && method === "PUT") return updateFolder(store, folder, request.body);
  if (path === "/api/dashboards/db" && method === "POST") return writeDashboard(store, request.body);
  if (dashboard !== undefined && (method === "GET" || method === "DELETE")) {
    const found = store.dashboards.get(dashboard);
    if (found === undefined) return refuse(404, "Dashboard not found", "not-found");
    if (method === "DELETE") {
      store.dashboards.delete(dashboard);
      return { status: 200, body: { title: found.title, message: `Dashboard ${found.title} deleted`, id: 1 } };
    }
    const { uid, title, version, spec } = found;
    const meta = { folderUid: found.folder, version, slug: uid, provisioned: false };
    return { status: 200, body: { meta, dashboard: { ...spec, uid, title, id: 7, version } } };
  }
  if (path === "/api/search" && method === "GET") return search(store, request.query);
  return undefined;
}

function showFolder({ uid, title, version }: GrafanaObject): object {
  return { id: 3, uid, title, version, url: `/dashboards/f/${uid}/x`, parentUid: "" };
}

function createFolder(store: GrafanaStore, body: unknown): GrafanaAnswer {
  const { uid, title, ...rest } = asObject(body) ?? {};
  if (!isUid(uid)) return refuse(400, "uid contains illegal characters");
  if (typeof title !== "string" || title === "") return refuse(400, "folder title cannot be empty");
  if (Object.keys(rest).length > 0) return refuse(400, "bad request data");
  if (store.folders.has(uid) || [...store.folders.values()].some((one) => one.title === title))
    return refuse(409, "a folder with the same name already exists in the current location");
  const made = { uid, title, folder: "", version: 1, spec: {} };
  store.folders.set(uid, made);
  return { status: 200, body: showFolder(made) };
}

function updateFolder(store: GrafanaStore, uid: string, body: unknown): GrafanaAnswer {
  const { title, version, overwrite, ...rest } = asObject(body) ?? {};
  const found = store.folders.get(uid);
  if (found === undefined) return refuse(404, "folder not found", "not-found");
  if (typeof title !== "string" || title === "" || Object.keys(rest).length > 0) return refuse(400, "bad request data");
  if (overwrite !== true && version !== found.version)
    return refuse(412, "the folder has been changed by someone else", "version-mismatch");
  const made = { ...found, title, version: found.version + 1 };
  store.folders.set(uid, made);
  return { status: 200, body: showFolder(made) };
}

function writeDashboard(store: GrafanaStore, body: unknown): GrafanaAnswer {
  const request = asObject(body) ?? {};
  const strange = unknownKeys(request, ["dashboard", "folderUid", "overwrite", "message"]);
  const dashboard = asObject(request["dashboard"]);
  if (strange.length > 0 || dashboard === undefined) return refuse(400, "bad request data");
  const { id, uid, title, version, ...spec } = dashboard;
  if (id !== null) return refuse(404, "Dashboard not found", "not-found");
  if (!isUid(uid)) return refuse(400, "uid contains illegal characters");
  if (typeof title !== "string" || title === "") return refuse(400, "Dashboard title cannot be empty");
  // Without a folder Grafana moves the dashboard to the root.
  const folder = request["folderUid"] ?? "";
  if (typeof folder !== "string" || (folder !== "" && !store.folders.has(folder)))
    return refuse(404, "folder not found", "not-found");
  const found = store.dashboards.get(uid);
  if (found !== undefined && request["overwrite"] !== true && version !== found.version)
    return refuse(412, "The dashboard has been changed by someone else", "version-mismatch");
  const same = [...store.dashboards.values()].find(
    (one) => one.uid !== uid && one.folder === folder && one.title === title,
  );
  if (same !== undefined)
    return refuse(412, "A dashboard with the same name in the folder already exists", "name-exists");
  const made = { uid, title, folder, version: (found?.version ?? 0) + 1, spec };
  store.dashboards.set(uid, made);
  return { status: 200, body: { id: 7, uid, url: `/d/${uid}/x`, status: "success", version: made.version, slug: "x" } };
}

function search(store: GrafanaStore, query: URLSearchParams): GrafanaAnswer {
  const tag = query.get("tag");
  const limit = Number(query.get("limit") ?? 1000);
  const page = Number(query.get("page") ?? 1);
  if (query.get("type") !== "dash-db" || tag === null || !(limit <= 5000)) return refuse(400, "bad request data");
  const all = [...store.dashboards.values()].filter(({ spec }) => ((spec["tags"] ?? []) as string[]).includes(tag));
  const body = all
    .slice((page - 1) * limit, page * limit)
    .map(({ uid, title, folder }) => ({ uid, title, type: "dash-db", folderUid: folder }));
  return { status: 200, body };
}
