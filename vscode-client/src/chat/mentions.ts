import type { Suggestion } from './messages';

export const MOST = 20;

const SPECIAL: readonly Suggestion[] = [
  { label: '@diff', detail: 'what has changed since the last commit', insert: '@diff', more: false },
  { label: '@diagnostics', detail: 'what is reported in the open files', insert: '@diagnostics', more: false },
  { label: '@symbol:', detail: 'a class or function by name', insert: '@symbol:', more: true },
];

export interface Named {
  readonly name: string;
  readonly path: string;
}

/** What is no file and begins as was typed. */
export function specialMentions(query: string): Suggestion[] {
  return SPECIAL.filter(({ label }) => label.slice(1).startsWith(query.toLowerCase()));
}

/** The part behind `@symbol:`; undefined for a mention of something else. */
export function symbolQuery(query: string): string | undefined {
  return /^symbol:(.*)$/s.exec(query)?.[1];
}

/** A file as the server understands it; paths with blanks go in quotes. */
export function mentionOf(path: string): string {
  return /^[\w./-]*\w$/.test(path) ? `@${path}` : `@"${path}"`;
}

export function fileMention(path: string): Suggestion {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { label: name, detail: path, insert: mentionOf(path), more: false };
}

/** A symbol is named, and the file that it stands in attached. */
export function symbolMention({ name, path }: Named): Suggestion {
  return { label: name, detail: path, insert: `\`${name}\` (${mentionOf(path)})`, more: false };
}

/** The files that fit what was typed, the likeliest first: the name's beginning, then the name, then the path. */
export function rankPaths(paths: readonly string[], query: string): string[] {
  const wanted = query.toLowerCase();
  const rank = (path: string) => {
    const lower = path.toLowerCase();
    const name = lower.slice(lower.lastIndexOf('/') + 1);
    return name.startsWith(wanted) ? 0 : name.includes(wanted) ? 1 : lower.includes(wanted) ? 2 : 3;
  };
  return paths
    .map((path) => ({ path, rank: rank(path) }))
    .filter((one) => one.rank < 3)
    .sort(
      (one, other) => one.rank - other.rank || one.path.length - other.path.length || (one.path < other.path ? -1 : 1),
    )
    .slice(0, MOST)
    .map(({ path }) => path);
}

/** A search pattern that finds files whose path holds the letters, whatever they are in patterns. */
export function globFor(query: string): string {
  const escaped = query.replace(/[[\]{}()*?!,\\]/g, '?');
  const either = escaped.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`);
  return `**/*${either}*`;
}
