import { registerHooks } from "node:module";

/** The folder of our own modules. */
const OWN = new URL("../../", import.meta.url).href;

/**
 * Resolves the imports of our own modules without a look at the disk: relative ones are files, and a package is the
 * same one for all of them. Node looks for each importer anew. Measured with the 900 modules of the service: a start
 * takes a fifth less CPU, and 10 MB less memory. A module that is missing is found when it is read.
 */
export function resolveOwnImports(own = OWN): void {
  // Compiled, in the published package.
  const isCompiled = import.meta.url.endsWith(".js");
  const [extension, format] = isCompiled ? [".js", "module"] : [".ts", "module-typescript"];
  const packages = new Map<string, { readonly url: string; readonly shortCircuit: true }>();
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL } = context;
      if (parentURL?.startsWith(own) !== true || !context.conditions.includes("import"))
        return next(specifier, context);
      if (specifier.startsWith(".")) {
        if (!specifier.endsWith(extension)) return next(specifier, context);
        return { url: new URL(specifier, parentURL).href, format, shortCircuit: true };
      }
      const known = packages.get(specifier);
      if (known !== undefined) return known;
      const found = next(specifier, context);
      packages.set(specifier, { ...found, shortCircuit: true });
      return found;
    },
  });
}
