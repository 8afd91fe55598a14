/** A change that is due, as the server tells it; lines and characters count from 0. */
export interface Due {
  readonly uri: string;
  readonly version: number;
  readonly range: { readonly start: Spot; readonly end: Spot };
  readonly oldText: string;
  readonly newText: string;
  readonly label: string;
  readonly count: number;
}

export interface Spot {
  readonly line: number;
  readonly character: number;
}

/** Reads the server's answer; undefined when it says that nothing is due. */
export function readDue(answer: unknown): Due | undefined {
  if (typeof answer !== 'object' || answer === null) {
    return undefined;
  }
  const { uri, version, range, oldText, newText, label, count } = answer as Record<string, unknown>;
  const { start, end } = (range ?? {}) as Record<string, unknown>;
  if (typeof uri !== 'string' || typeof version !== 'number' || !isSpot(start) || !isSpot(end)) {
    return undefined;
  }
  return {
    uri,
    version,
    range: { start, end },
    oldText: textOf(oldText),
    newText: textOf(newText),
    label: textOf(label),
    count: typeof count === 'number' ? count : 1,
  };
}

/** Whether the new text is known; otherwise there is only a place to go to. */
export function isKnown(due: Due): boolean {
  return due.newText !== due.oldText;
}

/** What the status bar says of it. */
export function describeDue(due: Due, activeUri: string | undefined): string {
  const file = due.uri === activeUri ? '' : `${decodeURIComponent(due.uri.slice(due.uri.lastIndexOf('/') + 1))}, `;
  return `Next edit: ${file}line ${String(due.range.start.line + 1)}`;
}

/** The new text on one line, as it is drawn beside the old one. */
export function preview(text: string): string {
  const line = text.replace(/\s*[\r\n]+\s*/g, ' ⏎ ');
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

function isSpot(value: unknown): value is Spot {
  const { line, character } = (value ?? {}) as Record<string, unknown>;
  return typeof line === 'number' && typeof character === 'number';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
