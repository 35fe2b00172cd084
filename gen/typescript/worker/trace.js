var __rewriteRelativeImportExtension = (this && this.__rewriteRelativeImportExtension) || function (path, preserveJsx) {
    if (typeof path === "string" && /^\.\.?\//.test(path)) {
        return path.replace(/\.(tsx)$|((?:\.d)?)((?:\.[^./]+?)?)\.([cm]?)ts$/i, function (m, tsx, d, ext, cm) {
            return tsx ? preserveJsx ? ".jsx" : ".js" : d && (!ext || !cm) ? m : (d + ext + "." + cm.toLowerCase() + "js");
        });
    }
    return path;
};
// The name is no literal, so that bundlers do not demand the package.
const PACKAGE = "@opentelemetry/api";
let loading = null;
/**
 * Calls a handler so that its spans are children of the attempt. Without `@opentelemetry/api`, or without a propagator
 * that its SDK has set, the call is made as it is.
 */
export async function callInTrace({ traceparent, tracestate }, call) {
    if (traceparent === "")
        return await call();
    // A package that is not there is the usual case.
    loading ??= import(__rewriteRelativeImportExtension(PACKAGE)).catch(() => null);
    const api = await loading;
    if (api === null)
        return await call();
    const carrier = tracestate === "" ? { traceparent } : { traceparent, tracestate };
    return await api.context.with(api.propagation.extract(api.ROOT_CONTEXT, carrier), call);
}
