import type { Hunk, Span, Spot } from '../agents/protocol';

/** A change of a document, as the editor tells it. */
export interface Change {
  readonly range: Span;
  readonly text: string;
}

/** A hunk with the run and the document it belongs to. */
export interface OpenHunk extends Hunk {
  readonly runId: string;
  readonly uri: string;
}

const REMEMBERED = 500;

/** The hunks that can still be decided about, where they stand in the documents as they are now. */
export class HunkBook {
  private readonly hunks = new Map<string, OpenHunk>();
  private readonly changes = new Map<string, { version: number; changes: readonly Change[] }[]>();
  /** Counts what moves hunks or their lines otherwise than by what is typed, which the editor follows by itself. */
  revision = 0;

  /** Takes in what the server says of a hunk at a version of its document; returns it if it is new or was open before. */
  hear(runId: string, uri: string, version: number | undefined, hunk: Hunk): OpenHunk | undefined {
    const key = keyOf(runId, hunk.id);
    const before = this.hunks.get(key);
    if (hunk.state === 'applied' || hunk.state === 'rejected' || hunk.state === 'conflict') {
      this.revision += this.hunks.delete(key) ? 1 : 0;
      return before && { ...before, ...hunk };
    }
    let range = hunk.range;
    for (const later of this.changes.get(uri) ?? []) {
      if (version !== undefined && later.version > version) {
        range = move(range, later.changes);
      }
    }
    const open = { ...hunk, range, runId, uri };
    this.hunks.set(key, open);
    this.revision += before && isSamePlace(before, open) ? 0 : 1;
    return open;
  }

  /** Moves the hunks of a document with what was typed, before the server has heard of it. */
  documentChanged(uri: string, version: number, changes: readonly Change[]): void {
    const known = this.changes.get(uri) ?? [];
    known.push({ version, changes });
    this.changes.set(uri, known.slice(-REMEMBERED));
    for (const [key, hunk] of this.hunks) {
      if (hunk.uri === uri) {
        this.hunks.set(key, { ...hunk, range: move(hunk.range, changes) });
      }
    }
  }

  /** Forgets what was typed in a document and its hunks. */
  documentClosed(uri: string): void {
    this.changes.delete(uri);
    this.drop((hunk) => hunk.uri === uri);
  }

  /** Forgets hunks. */
  drop(which: (hunk: OpenHunk) => boolean): void {
    for (const [key, hunk] of this.hunks) {
      if (which(hunk)) {
        this.revision += this.hunks.delete(key) ? 1 : 0;
      }
    }
  }

  /** The open hunks from top to bottom, of one document or of all. */
  open(uri?: string): OpenHunk[] {
    return [...this.hunks.values()]
      .filter((hunk) => uri === undefined || hunk.uri === uri)
      .sort(
        (one, other) =>
          (one.uri < other.uri ? -1 : one.uri > other.uri ? 1 : 0) || compare(one.range.start, other.range.start),
      );
  }

  get(runId: string, id: string): OpenHunk | undefined {
    return this.hunks.get(keyOf(runId, id));
  }
}

function isSamePlace(one: OpenHunk, other: OpenHunk): boolean {
  const before = lineChange(one);
  const after = lineChange(other);
  return before.line === after.line && before.removed.length === after.removed.length;
}

export function keyOf(runId: string, id: string): string {
  return `${runId} ${id}`;
}

/** Where a range is after changes that were made at once, or one after another from the bottom to the top. */
export function move(range: Span, changes: readonly Change[]): Span {
  // All are told as of before any was made: those further down are to go first.
  const ordered = [...changes].sort((one, other) => compare(other.range.start, one.range.start));
  return ordered.reduce(
    (moved, change) => ({
      // What is typed at the beginning pushes the range, what is typed at its end stays outside of it.
      start: shift(moved.start, change, true),
      end: shift(moved.end, change, compare(moved.start, moved.end) === 0),
    }),
    range,
  );
}

function shift(spot: Spot, { range, text }: Change, pushes: boolean): Spot {
  const place = compare(range.end, spot);
  if (place > 0 || (place === 0 && !pushes && compare(range.start, spot) === 0)) {
    return compare(range.start, spot) < 0 ? range.start : spot;
  }
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines.at(-1) ?? '';
  const line = range.start.line + lines.length - 1;
  if (spot.line !== range.end.line) {
    return { line: spot.line - range.end.line + line, character: spot.character };
  }
  const start = lines.length === 1 ? range.start.character : 0;
  return { line, character: start + last.length + spot.character - range.end.character };
}

/** The text with hunks made, those further down first. */
export function withHunks(text: string, hunks: readonly OpenHunk[]): string {
  const starts = lineStarts(text);
  const offset = ({ line, character }: Spot) => Math.min((starts[line] ?? text.length) + character, text.length);
  return [...hunks]
    .sort((one, other) => compare(other.range.start, one.range.start))
    .reduce(
      (made, { range, newText }) => made.slice(0, offset(range.start)) + newText + made.slice(offset(range.end)),
      text,
    );
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\r|\n/g)) {
    starts.push(match.index + match[0].length);
  }
  return starts;
}

/** What a hunk does to lines. */
export interface LineChange {
  /** The first line that goes, or before which others come. */
  readonly line: number;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** The lines that go and those that come; what is alike at both ends of the old and the new text is left out. */
export function lineChange({ range, oldText, newText }: Pick<Hunk, 'range' | 'oldText' | 'newText'>): LineChange {
  const old = linesOf(oldText);
  const fresh = linesOf(newText);
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) {
    head += 1;
  }
  let tail = 0;
  while (tail < old.length - head && tail < fresh.length - head && old.at(-1 - tail) === fresh.at(-1 - tail)) {
    tail += 1;
  }
  return {
    line: range.start.line + head,
    removed: old.slice(head, old.length - tail),
    added: fresh.slice(head, fresh.length - tail),
  };
}

function linesOf(text: string): string[] {
  if (text === '') {
    return [];
  }
  const lines = text.split(/\r\n|\r|\n/);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

function compare(one: Spot, other: Spot): number {
  return one.line - other.line || one.character - other.character;
}
