/** The part of Grafana's API below /apis that reads and writes folders and dashboards, as objects of Kubernetes. */
import {
  asObject,
  type GrafanaAnswer,
  type GrafanaObject,
  type GrafanaRequest,
  type GrafanaStore,
  isUid,
  unknownKeys,
} from "./answers.ts";

const FOLDER = "grafana.app/folder";

const refuse = (code: number, reason: string, message: string): GrafanaAnswer => ({
  status: code,
  body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code },
});

/** A kind of object and where it is kept. */
interface Kind {
  readonly name: "Dashboard" | "Folder";
  readonly apiVersion: string;
  readonly objects: Map<string, GrafanaObject>;
  readonly store: GrafanaStore;
}

/** Answers a request below /apis of a server whose objects have `version`; undefined if there is no such path. */
export function answerApis(store: GrafanaStore, request: GrafanaRequest, version: string): GrafanaAnswer | undefined {
  const parts = /^\/apis\/(dashboard|folder)\.grafana\.app\/(\w+)\/namespaces\/([^/]+)\/(\w+?)s(?:\/([^/]+))?$/.exec(
    request.path,
  );
  if (parts === null || parts[2] !== version || parts[1] !== parts[4]) return undefined;
  const [, group, , namespace, , name] = parts;
  if (namespace !== "default") return refuse(403, "Forbidden", `access to namespace ${namespace} is forbidden`);
  const kind: Kind = {
    name: group === "dashboard" ? "Dashboard" : "Folder",
    apiVersion: `${group}.grafana.app/${version}`,
    objects: group === "dashboard" ? store.dashboards : store.folders,
    store,
  };
  if (name === undefined) {
    if (request.method === "POST") return create(kind, request.body);
    return request.method === "GET" ? list(kind, request.query) : undefined;
  }
  const found = kind.objects.get(name);
  if (found === undefined) return refuse(404, "NotFound", `${kind.name.toLowerCase()}s "${name}" not found`);
  if (request.method === "GET") return { status: 200, body: show(kind, found) };
  if (request.method === "PUT") return update(kind, found, request.body);
  if (request.method !== "DELETE") return undefined;
  kind.objects.delete(name);
  return { status: 200, body: { kind: "Status", status: "Success" } };
}

function show({ name, apiVersion }: Kind, { uid, title, folder, version, spec }: GrafanaObject): object {
  const annotations = { "grafana.app/createdBy": "service-account:1", ...(folder === "" ? {} : { [FOLDER]: folder }) };
  const metadata = {
    name: uid,
    namespace: "default",
    uid: `k8s-${uid}`,
    resourceVersion: String(version),
    annotations,
  };
  return { kind: name, apiVersion, metadata, spec: { ...spec, title }, status: {} };
}

interface Checked {
  readonly uid: string;
  readonly title: string;
  readonly folder: string;
  readonly resourceVersion: unknown;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What a body says, or the refusal. */
function check(kind: Kind, body: unknown): Checked | GrafanaAnswer {
  const object = asObject(body);
  const metadata = asObject(object?.["metadata"]);
  const spec = asObject(object?.["spec"]);
  if (object === undefined || metadata === undefined || spec === undefined)
    return refuse(400, "BadRequest", "the object provided is unrecognized");
  if (object["apiVersion"] !== kind.apiVersion || object["kind"] !== kind.name)
    return refuse(400, "BadRequest", `the API version in the data does not match ${kind.apiVersion}`);
  const strange = [
    ...unknownKeys(object, ["apiVersion", "kind", "metadata", "spec"]),
    ...unknownKeys(metadata, ["name", "namespace", "resourceVersion", "annotations", "labels"]),
    // The id and the uid of a dashboard are not part of it here.
    ...Object.keys(spec).filter((key) => kind.name === "Dashboard" && ["id", "uid", "version"].includes(key)),
  ];
  if (strange.length > 0) return refuse(400, "BadRequest", `strict decoding error: unknown field ${strange[0]}`);
  const { name, resourceVersion } = metadata;
  if (!isUid(name)) return refuse(422, "Invalid", "metadata.name: Invalid value");
  const annotations = asObject(metadata["annotations"]) ?? {};
  if (Object.values(annotations).some((value) => typeof value !== "string"))
    return refuse(400, "BadRequest", "annotations are texts");
  const folder = String(annotations[FOLDER] ?? "");
  if (folder !== "" && !kind.store.folders.has(folder)) return refuse(404, "NotFound", "folder not found");
  const { title, ...rest } = spec;
  if (typeof title !== "string" || title === "") return refuse(400, "BadRequest", "title is required");
  return { uid: name, title, folder, resourceVersion, spec: rest };
}

function create(kind: Kind, body: unknown): GrafanaAnswer {
  const checked = check(kind, body);
  if ("status" in checked) return checked;
  const { resourceVersion, ...object } = checked;
  if (resourceVersion !== undefined)
    return refuse(400, "BadRequest", "resourceVersion should not be set on objects to be created");
  if (kind.objects.has(object.uid)) return refuse(409, "AlreadyExists", `"${object.uid}" already exists`);
  const made = { ...object, version: 1 };
  kind.objects.set(made.uid, made);
  return { status: 201, body: show(kind, made) };
}

function update(kind: Kind, found: GrafanaObject, body: unknown): GrafanaAnswer {
  const checked = check(kind, body);
  if ("status" in checked) return checked;
  const { resourceVersion, ...object } = checked;
  if (object.uid !== found.uid) return refuse(400, "BadRequest", "the name of the object does not match the URL");
  if (resourceVersion === undefined)
    return refuse(422, "Invalid", "metadata.resourceVersion: must be specified for an update");
  if (resourceVersion !== String(found.version))
    return refuse(409, "Conflict", "the object has been modified; apply your changes to the latest version");
  const made = { ...object, version: found.version + 1 };
  kind.objects.set(made.uid, made);
  return { status: 200, body: show(kind, made) };
}

function list(kind: Kind, query: URLSearchParams): GrafanaAnswer {
  const start = Number(query.get("continue") ?? 0);
  const end = start + Number(query.get("limit") ?? 500);
  const all = [...kind.objects.values()];
  const metadata = end < all.length ? { continue: String(end) } : {};
  const items = all.slice(start, end).map((one) => show(kind, one));
  return { status: 200, body: { kind: `${kind.name}List`, apiVersion: kind.apiVersion, metadata, items } };
}
