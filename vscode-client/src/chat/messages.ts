import { type Agent, type ConversationHead, fieldsOf } from '../agents/protocol';

/** What the chat view shows, one below the other. */
export type Item = UserItem | TextItem | ToolItem | NoticeItem;

export interface UserItem {
  readonly kind: 'user';
  readonly id: string;
  readonly text: string;
  /** What was sent along, by name. */
  readonly attached: readonly string[];
}

export interface TextItem {
  readonly kind: 'text';
  readonly id: string;
  readonly text: string;
  /** Whether more may come. */
  readonly open: boolean;
}

export type ToolState = 'running' | 'asking' | 'done' | 'failed' | 'denied' | 'stopped';

export interface ToolItem {
  readonly kind: 'tool';
  readonly id: string;
  readonly runId: string;
  readonly callId: string;
  readonly tool: string;
  /** The arguments on one line. */
  readonly argument: string;
  /** The arguments in full, where a line cannot show them. */
  readonly input: string;
  readonly state: ToolState;
  readonly summary: string;
  readonly diff: string;
  readonly result: string;
}

export interface NoticeItem {
  readonly kind: 'notice';
  readonly id: string;
  readonly level: 'info' | 'error';
  readonly text: string;
}

/** A part of a document that the next question is about. */
export interface Subject {
  readonly label: string;
}

export interface Suggestion {
  readonly label: string;
  readonly detail: string;
  readonly insert: string;
  /** The mention can go on: it is not closed by a blank. */
  readonly more: boolean;
}

export interface ChatState {
  readonly title: string;
  readonly items: readonly Item[];
  readonly running: boolean;
  readonly agents: readonly Agent[];
  readonly agent: string;
  readonly subject: Subject | undefined;
}

/** What the extension tells the view. */
export type Update =
  | { readonly type: 'state'; readonly state: ChatState }
  | { readonly type: 'item'; readonly item: Item }
  | { readonly type: 'append'; readonly id: string; readonly text: string }
  | { readonly type: 'running'; readonly running: boolean }
  | { readonly type: 'title'; readonly title: string }
  | { readonly type: 'agents'; readonly agents: readonly Agent[]; readonly agent: string }
  | { readonly type: 'subject'; readonly subject: Subject | undefined }
  | { readonly type: 'history'; readonly conversations: readonly ConversationHead[] }
  | { readonly type: 'suggestions'; readonly ask: number; readonly suggestions: readonly Suggestion[] }
  | { readonly type: 'focus' };

const UPDATES: readonly string[] = [
  'state',
  'item',
  'append',
  'running',
  'title',
  'agents',
  'subject',
  'history',
  'suggestions',
  'focus',
] satisfies Update['type'][];

export const REMEMBERS = ['once', 'run', 'always'] as const;
export type Remember = (typeof REMEMBERS)[number];

/** What the view asks of the extension. */
export type Wish =
  | { readonly type: 'ready' | 'stop' | 'new' | 'history' | 'dropSubject' }
  | { readonly type: 'send'; readonly text: string; readonly agent: string }
  | { readonly type: 'open'; readonly id: string }
  | {
      readonly type: 'approve';
      readonly runId: string;
      readonly callId: string;
      readonly allow: boolean;
      readonly remember: Remember;
    }
  | { readonly type: 'copy' | 'insert' | 'apply'; readonly code: string }
  | { readonly type: 'suggest'; readonly ask: number; readonly query: string };

const MOST_CHARACTERS = 1_000_000;

/** Reads a message of the view; undefined for one that is not whole. The view draws what models say: it is not trusted. */
export function readWish(value: unknown): Wish | undefined {
  const { type, text, agent, id, runId, callId, allow, remember, code, ask, query } = fieldsOf(value);
  switch (type) {
    case 'ready':
    case 'stop':
    case 'new':
    case 'history':
    case 'dropSubject':
      return { type };
    case 'send':
      return isText(text) && text.trim() !== '' && isText(agent) ? { type, text, agent } : undefined;
    case 'open':
      return isText(id) ? { type, id } : undefined;
    case 'approve': {
      const kept = REMEMBERS.find((one) => one === remember);
      return isText(runId) && isText(callId) && typeof allow === 'boolean' && kept
        ? { type, runId, callId, allow, remember: kept }
        : undefined;
    }
    case 'copy':
    case 'insert':
    case 'apply':
      return isText(code) ? { type, code } : undefined;
    case 'suggest':
      return typeof ask === 'number' && isText(query) ? { type, ask, query } : undefined;
    default:
      return undefined;
  }
}

/** Reads a message of the extension, whose parts are as written here when its type is. */
export function readUpdate(value: unknown): Update | undefined {
  const { type } = fieldsOf(value);
  return typeof type === 'string' && UPDATES.includes(type) ? (value as Update) : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_CHARACTERS;
}
