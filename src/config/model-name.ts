/** `provider` or `provider/model`; a name of a model may hold slashes. */
export function splitModel(name: string | undefined): readonly [provider?: string, model?: string] {
  if (name === undefined) return [];
  const [provider = "", model] = name.split(/\/(.*)/s);
  return model === undefined || model === "" ? [provider] : [provider, model];
}
