/** What happens in a run, as `dragoman/runEvent` tells it. */
export type RunEvent = { readonly runId: string; readonly seq: number } & RunNews;

export type RunNews =
  | { readonly type: 'started'; readonly agent: string; readonly task: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_call'; readonly callId: string; readonly tool: string; readonly arguments: unknown }
  | ApprovalRequired
  | {
      readonly type: 'tool_result';
      readonly callId: string;
      readonly tool: string;
      readonly result: string;
      readonly failed: boolean;
    }
  | { readonly type: 'edit'; readonly uri: string; readonly version: number | undefined; readonly hunk: Hunk }
  | { readonly type: 'diagnostic'; readonly uri: string }
  | { readonly type: 'finished'; readonly output: string }
  | { readonly type: 'failed'; readonly error: string }
  | { readonly type: 'cancelled' };

export interface ApprovalRequired {
  readonly type: 'approval_required';
  readonly callId: string;
  readonly tool: string;
  readonly arguments: unknown;
  readonly summary: string;
  readonly diff: string;
}

/** A place in a document; lines and UTF-16 characters count from 0. */
export interface Spot {
  readonly line: number;
  readonly character: number;
}

export interface Span {
  readonly start: Spot;
  readonly end: Spot;
}

/** The lines of a range as a person counts them; one that ends before a line's first letter does not hold it. */
export function lineNumbers({ start, end }: Span): string {
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  return last === start.line + 1 ? String(last) : `${String(start.line + 1)}–${String(last)}`;
}

/** Reads a range; undefined for what is none. */
export function readSpan(value: unknown): Span | undefined {
  const { start, end } = fieldsOf(value);
  return isSpot(start) && isSpot(end) ? { start, end } : undefined;
}

const STATES = ['proposed', 'final', 'conflict', 'applied', 'rejected'] as const;
export type HunkState = (typeof STATES)[number];

/** One change that an agent wants to make; it is `proposed` while it streams and `final` when it can be made. */
export interface Hunk {
  readonly id: string;
  readonly state: HunkState;
  readonly range: Span;
  readonly oldText: string;
  readonly newText: string;
}

export interface Agent {
  readonly name: string;
  readonly description: string;
}

export interface ConversationHead {
  readonly id: string;
  readonly title: string;
  readonly updatedAt: string;
}

export interface Said {
  readonly role: string;
  readonly content: string;
}

/** Reads an event; undefined for what this client does not know or what lacks a part. */
export function readRunEvent(value: unknown): RunEvent | undefined {
  const event = fieldsOf(value);
  const { runId, seq } = event;
  if (typeof runId !== 'string' || typeof seq !== 'number') {
    return undefined;
  }
  const news = readNews(event);
  return news && { runId, seq, ...news };
}

function readNews(event: Record<string, unknown>): RunNews | undefined {
  const { type, callId } = event;
  switch (type) {
    case 'started':
      return { type, agent: textOf(event['agent']), task: textOf(event['task']) };
    case 'text':
      return { type, text: textOf(event['text']) };
    case 'tool_call':
      return typeof callId === 'string'
        ? { type, callId, tool: textOf(event['tool']), arguments: event['arguments'] }
        : undefined;
    case 'approval_required':
      return typeof callId === 'string'
        ? {
            type,
            callId,
            tool: textOf(event['tool']),
            arguments: event['arguments'],
            summary: textOf(event['summary']),
            diff: textOf(event['diff']),
          }
        : undefined;
    case 'tool_result':
      return typeof callId === 'string'
        ? {
            type,
            callId,
            tool: textOf(event['tool']),
            result: shownOf(event['result']),
            failed: event['failed'] === true,
          }
        : undefined;
    case 'edit': {
      const { uri, version } = event;
      const hunk = readHunk(event['hunk']);
      return typeof uri === 'string' && hunk
        ? { type, uri, version: typeof version === 'number' ? version : undefined, hunk }
        : undefined;
    }
    case 'diagnostic':
      return { type, uri: textOf(event['uri']) };
    case 'finished':
      return { type, output: textOf(event['output']) };
    case 'failed':
      return { type, error: textOf(event['error']) || 'It failed, and did not say why.' };
    case 'cancelled':
      return { type };
    default:
      return undefined;
  }
}

function readHunk(value: unknown): Hunk | undefined {
  const { id, state, range, oldText, newText } = fieldsOf(value);
  const { start, end } = fieldsOf(range);
  const known = STATES.find((one) => one === state);
  return typeof id === 'string' && known && isSpot(start) && isSpot(end)
    ? { id, state: known, range: { start, end }, oldText: textOf(oldText), newText: textOf(newText) }
    : undefined;
}

/** Reads the answer of a command that starts a run. */
export function readStarted(answer: unknown): { runId: string; conversationId: string | undefined } | undefined {
  const { runId, conversationId } = fieldsOf(answer);
  return typeof runId === 'string'
    ? { runId, conversationId: typeof conversationId === 'string' ? conversationId : undefined }
    : undefined;
}

/** Reads the answer of `dragoman.agents`. */
export function readAgents(answer: unknown): Agent[] {
  return listOf(fieldsOf(answer)['agents']).flatMap((one) => {
    const { name, description } = fieldsOf(one);
    return typeof name === 'string' ? [{ name, description: textOf(description) }] : [];
  });
}

/** Reads the answer of `dragoman.conversations` without an id. */
export function readConversations(answer: unknown): ConversationHead[] {
  return listOf(fieldsOf(answer)['conversations']).flatMap((one) => {
    const { id, title, updatedAt } = fieldsOf(one);
    return typeof id === 'string' ? [{ id, title: textOf(title), updatedAt: textOf(updatedAt) }] : [];
  });
}

/** Reads the answer of `dragoman.conversations` with an id. */
export function readMessages(answer: unknown): Said[] {
  return listOf(fieldsOf(answer)['messages']).flatMap((one) => {
    const { role, content } = fieldsOf(one);
    return typeof role === 'string' && typeof content === 'string' ? [{ role, content }] : [];
  });
}

export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function shownOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value, undefined, 2);
}

function isSpot(value: unknown): value is Spot {
  const { line, character } = fieldsOf(value);
  return typeof line === 'number' && typeof character === 'number';
}
