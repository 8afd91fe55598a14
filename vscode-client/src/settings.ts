/** What the editor knows about one setting. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
  readonly globalLanguageValue?: unknown;
  readonly workspaceLanguageValue?: unknown;
  readonly workspaceFolderLanguageValue?: unknown;
}

/** Settings by dotted key, as `workspace.getConfiguration('dragoman')` gives them. */
export interface Configuration {
  get(key: string): unknown;
  inspect(key: string): Inspected | undefined;
}

/** Keys that concern this side only. */
const OWN_KEYS = /^(?:server|trace)\./;

/**
 * Collects the settings a person has set, nested as the server's file has them.
 * Defaults are left out, or they would hide what stands in the server's own configuration files.
 */
export function collectSettings(keys: readonly string[], configuration: Configuration): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const key of keys) {
    if (!OWN_KEYS.test(key) && isSet(configuration.inspect(key))) {
      place(settings, key.split('.'), configuration.get(key));
    }
  }
  return settings;
}

function isSet(inspected: Inspected | undefined): boolean {
  return (
    inspected !== undefined &&
    [
      inspected.globalValue,
      inspected.workspaceValue,
      inspected.workspaceFolderValue,
      inspected.globalLanguageValue,
      inspected.workspaceLanguageValue,
      inspected.workspaceFolderLanguageValue,
    ].some((value) => value !== undefined)
  );
}

function place(tree: Record<string, unknown>, names: readonly string[], value: unknown): void {
  const [name, ...rest] = names;
  if (name === undefined) {
    return;
  }
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const branch = tree[name];
  const next = typeof branch === 'object' && branch !== null ? (branch as Record<string, unknown>) : {};
  tree[name] = next;
  place(next, rest, value);
}
