/**
 * REST routes from the `google.api.http` rules of the contract.
 *
 * Paths are matched before percent-decoding, with custom verbs (`:cancel`) first. Ids of child runs contain colons, so
 * text after the last colon belongs to an id unless it is a verb of that path. A colon that is not a verb is sent as
 * `%3A`.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { http as httpOption } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";

/** One binding of a method to a path. */
export interface RestRoute {
  readonly method: ServedMethod;
  /** HTTP method, uppercase. */
  readonly verb: string;
  /** Path template of the contract. */
  readonly template: string;
  /** Request fields in the path, in order. */
  readonly variables: readonly string[];
  /**
   * `*`: the body is the request; a name: the body is that field; empty: no body, and the query has the other fields.
   */
  readonly body: string;
  readonly pattern: RegExp;
}

/** A matching route with the values of its path. */
export interface RouteMatch {
  readonly route: RestRoute;
  readonly values: Readonly<Record<string, string>>;
}

export interface RestRouter {
  /** The route of a request, or else the HTTP methods of the path (empty: no such path). */
  find(verb: string, path: string): RouteMatch | readonly string[];
  /** HTTP methods of a path, for `Allow`; empty if nothing is served there. */
  allow(path: string): readonly string[];
  readonly routes: readonly RestRoute[];
}

/** Compiles the rules of the methods. Throws for unsupported path templates. */
export function createRestRouter(methods: readonly ServedMethod[]): RestRouter {
  const routes = methods.flatMap((method) => rulesOf(method.desc).map((rule) => compileRoute(method, rule)));
  // Literal paths before variables, verbs before ids with colons.
  routes.sort((a, b) => Number(hasCustomVerb(b)) - Number(hasCustomVerb(a)) || a.variables.length - b.variables.length);
  const find = (verb: string, path: string): RouteMatch | readonly RestRoute[] => {
    const others: RestRoute[] = [];
    let isVerb = false;
    for (const route of routes) {
      // A path that ends in a verb of the contract means that verb, never an id, whatever the HTTP method.
      if (isVerb && !hasCustomVerb(route)) break;
      const found = route.pattern.exec(path);
      if (found === null) continue;
      const values = decodeValues(route, found);
      if (values === null) continue;
      if (route.verb === verb) return { route, values };
      others.push(route);
      isVerb = hasCustomVerb(route);
    }
    return others;
  };
  return {
    routes,
    find(verb, path) {
      const found = find(verb, path);
      return "route" in found ? found : found.map((route) => route.verb);
    },
    allow(path) {
      const found = find("", path);
      if ("route" in found) return [];
      const verbs = found.flatMap(({ verb, method }) =>
        verb === "GET" && method.stream === null ? ["GET", "HEAD"] : [verb],
      );
      return [...new Set(verbs)];
    },
  };
}

function hasCustomVerb(route: RestRoute): boolean {
  return route.template.includes(":");
}

function rulesOf(desc: DescMethod): readonly HttpRule[] {
  if (!hasOption(desc, httpOption)) return [];
  const rule = getOption(desc, httpOption);
  return [rule, ...rule.additionalBindings];
}

function compileRoute(method: ServedMethod, rule: HttpRule): RestRoute {
  const { case: verb, value: template } = rule.pattern;
  if (verb === undefined || verb === "custom")
    throw new Error(`${method.path}: this kind of HTTP rule is not supported`);
  if (rule.responseBody !== "") throw new Error(`${method.path}: response_body is not supported`);
  const variables: string[] = [];
  const parts = template.split(/(\{[^{}]*\})/).map((part) => {
    if (!part.startsWith("{")) return part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const name = part.slice(1, -1);
    if (!/^[a-z_]+$/.test(name)) throw new Error(`${method.path}: the variable ${part} is not known`);
    if (method.desc.input.fields.every((field) => field.name !== name))
      throw new Error(`${method.path}: ${name} is not a field of the request`);
    variables.push(name);
    return "([^/]+)";
  });
  return {
    method,
    verb: verb.toUpperCase(),
    template,
    variables,
    body: rule.body,
    pattern: new RegExp(`^${parts.join("")}$`),
  };
}

function decodeValues(route: RestRoute, found: RegExpExecArray): Readonly<Record<string, string>> | null {
  try {
    return Object.fromEntries(route.variables.map((name, index) => [name, decodeURIComponent(found[index + 1] ?? "")]));
  } catch {
    // Invalid percent-encoding matches no path.
    return null;
  }
}
