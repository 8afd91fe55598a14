/** One piece of what the model read. */
export interface Part {
  readonly source: string;
  readonly path: string;
  /** From 1; 0 when the text is of no one place. */
  readonly line: number;
  readonly text: string;
  readonly tokens: number;
  readonly why: string;
}

/** What `dragoman.showContext` answers. */
export interface SentContext {
  readonly uri: string;
  readonly model: string;
  readonly provider: string;
  readonly local: boolean;
  /** From 0, as the protocol counts. */
  readonly line: number;
  readonly character: number;
  readonly tokens: number;
  readonly late: boolean;
  /** How many secrets were replaced; undefined when nobody looked for them. */
  readonly secrets: number | undefined;
  readonly parts: readonly Part[];
}

/** Where on a page a place is named (from 0), and which one. */
export interface Place {
  readonly row: number;
  readonly start: number;
  readonly end: number;
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/** Reads the server's answer; undefined when it is none. */
export function readContext(answer: unknown): SentContext | undefined {
  if (!isTable(answer) || typeof answer['uri'] !== 'string' || !Array.isArray(answer['parts'])) {
    return undefined;
  }
  return {
    uri: answer['uri'],
    model: text(answer['model']),
    provider: text(answer['provider']),
    local: answer['local'] !== false,
    line: number(answer['line']),
    character: number(answer['character']),
    tokens: number(answer['tokens']),
    late: answer['late'] === true,
    secrets: typeof answer['secrets'] === 'number' ? answer['secrets'] : undefined,
    parts: answer['parts'].filter(isTable).map((part) => ({
      source: text(part['source']),
      path: text(part['path']),
      line: number(part['line']),
      text: text(part['text']),
      tokens: number(part['tokens']),
      why: text(part['why']),
    })),
  };
}

/** Writes it as Markdown: what it was for, what left this machine, and each part under a heading of its own. */
export function renderContext(sent: SentContext): string {
  const others = sent.parts.filter((part) => !OWN.has(part.source));
  const from = new Set(others.map((part) => part.path)).size;
  const share = others.reduce((sum, part) => sum + part.tokens, 0);
  const model = sent.model ? `${code(sent.model)} (${sent.provider})` : 'The model';
  return [
    HEADING,
    [
      `${model} read about ${count(sent.tokens, 'token')} for ${code(placeOf(sent))}, ` +
        (others.length > 0
          ? `${String(share)} of them from ${count(from, 'other file')}.`
          : 'all from the file itself.'),
      sent.local
        ? 'It runs on this machine: nothing of this left it.'
        : `It runs on **another machine**. ${secretsOf(sent.secrets)}`,
      ...(sent.late ? ['The index of the workspace was late, so there may be more to read next time.'] : []),
    ].join('\n'),
    ...sent.parts.flatMap((part) => [
      `## ${code(placeOf(part))}`,
      `${capital(part.why)} · ${count(part.tokens, 'token')}`,
      fence(part.text, languageOf(part.path)),
    ]),
    '',
  ].join('\n\n');
}

/** Finds the places that a page names, so that they can be opened. */
export function findPlaces(page: string, sent: SentContext): readonly Place[] {
  const known = new Map<string, { readonly path: string; readonly line: number }>(
    sent.parts.filter((part) => part.line > 0).map((part) => [code(placeOf(part)), part]),
  );
  known.set(code(placeOf(sent)), { path: nameOf(sent), line: sent.line + 1 });
  const places: Place[] = [];
  for (const [row, text] of page.split('\n').entries()) {
    const label = /^## (`.*`)$/.exec(text)?.[1] ?? / for (`[^`]*`), /.exec(row < 4 ? text : '')?.[1];
    const place = label === undefined ? undefined : known.get(label);
    if (label !== undefined && place) {
      // Without the marks around it.
      const start = text.indexOf(label) + 1;
      places.push({ row, start, end: start + label.length - 2, path: place.path, line: place.line });
    }
  }
  return places;
}

/** Writes a sentence where there is nothing to show yet. */
export function renderNothing(sentence: string): string {
  return `${HEADING}\n\n${sentence}\n`;
}

const HEADING = '# What the model read';

const OWN: ReadonlySet<string> = new Set(['prefix', 'suffix']);

/** Names of languages as code fences have them, where they are not the ending of the file itself. */
const LANGUAGES: Readonly<Record<string, string>> = {
  py: 'python',
  pyi: 'python',
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  ts: 'typescript',
  rs: 'rust',
  rb: 'ruby',
  cs: 'csharp',
  kt: 'kotlin',
  h: 'c',
  cc: 'cpp',
  hpp: 'cpp',
  sh: 'shell',
  yml: 'yaml',
  md: 'markdown',
};

function languageOf(path: string): string {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return LANGUAGES[ending] ?? ending;
}

/** Puts a text between fences that it does not hold itself. */
function fence(body: string, language: string): string {
  const longest = Math.max(2, ...[...body.matchAll(/`+/g)].map((run) => run[0].length));
  const mark = '`'.repeat(longest + 1);
  // Lines without anything at its ends are part of the prompt, but nothing to look at.
  const shown = body.replace(/^(?:[ \t]*\n)+/, '').replace(/\s+$/, '');
  return shown === '' ? '_(nothing)_' : `${mark}${language}\n${shown}\n${mark}`;
}

function secretsOf(secrets: number | undefined): string {
  if (secrets === undefined) {
    return 'Secrets are not replaced: `security.redact` is off.';
  }
  return secrets === 0
    ? 'No secrets were found in what was sent.'
    : `${count(secrets, 'secret')} stayed here: placeholders were sent in their place.`;
}

function placeOf(one: SentContext | Part): string {
  if ('parts' in one) {
    return `${nameOf(one)}:${String(one.line + 1)}`;
  }
  return one.line > 0 ? `${one.path}:${String(one.line)}` : one.path;
}

function nameOf(sent: SentContext): string {
  const own = sent.parts.find((part) => part.source === 'prefix');
  return own?.path ?? decodeURIComponent(sent.uri.split('/').pop() ?? sent.uri);
}

function code(name: string): string {
  return `\`${name.replaceAll('`', '')}\``;
}

function count(number: number, noun: string): string {
  return `${String(number)} ${noun}${number === 1 ? '' : 's'}`;
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
