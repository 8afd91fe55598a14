/** Glob patterns with what is to be hidden: true, or a condition that only the editor can judge. */
export type Patterns = Readonly<Record<string, unknown>>;

/** Returns the patterns of what the editor hides from its user whatever else is true, each once. */
export function excludesOf(...tables: readonly (Patterns | undefined)[]): string[] {
  const patterns = tables.flatMap((table) =>
    Object.entries(table ?? {})
      .filter(([, hidden]) => hidden === true)
      .map(([pattern]) => pattern),
  );
  return [...new Set(patterns)];
}
