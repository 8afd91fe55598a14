/** A model as the server tells of it. */
export interface Lent {
  readonly name: string;
  readonly provider: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly tools: boolean;
  readonly vision: boolean;
}

/** A message as the editor passes it on: its parts are told apart by what they have. */
export interface Asked {
  readonly role: number;
  readonly content: readonly unknown[];
}

interface Message {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  images?: { mediaType: string; data: string }[];
  toolCalls?: { id: string; name: string; arguments: string }[];
  toolCallId?: string;
}

const ROLES: Record<number, Message['role']> = { 1: 'user', 2: 'assistant', 3: 'system' };

/** Source code and English have about so many letters to a token; the server counts anew. */
const LETTERS_A_TOKEN = 3.5;

/** Reads the server's list; empty for anything else. */
export function readModels(answer: unknown): Lent[] {
  const { models } = (answer ?? {}) as { readonly models?: unknown };
  return Array.isArray(models) ? (models as Lent[]).filter((one) => typeof one.name === 'string') : [];
}

/** The server's form of a conversation: what a tool found is a message of its own, before what is said with it. */
export function toMessages(asked: readonly Asked[]): Message[] {
  return asked.flatMap(({ role, content }) => {
    const message: Message = { role: ROLES[role] ?? 'user', content: '' };
    const results: Message[] = [];
    for (const part of content) {
      const { value, callId, name, input, content: found, mimeType, data } = part as Record<string, unknown>;
      if (typeof value === 'string') {
        message.content += value;
      } else if (typeof callId === 'string' && typeof name === 'string') {
        (message.toolCalls ??= []).push({ id: callId, name, arguments: JSON.stringify(input ?? {}) });
      } else if (typeof callId === 'string') {
        results.push({ role: 'tool', content: textOf(found), toolCallId: callId });
      } else if (data instanceof Uint8Array && typeof mimeType === 'string') {
        addData(message, mimeType, data);
      }
    }
    const isEmpty = message.content === '' && !message.images && !message.toolCalls;
    return isEmpty && results.length > 0 ? results : [...results, message];
  });
}

/** The server's form of tools; what is none is left out. */
export function toTools(tools: readonly unknown[] | undefined): object[] {
  return (tools ?? []).flatMap((tool) => {
    const { name, description, inputSchema } = tool as Record<string, unknown>;
    return typeof name === 'string'
      ? [{ name, description: typeof description === 'string' ? description : '', parameters: inputSchema ?? {} }]
      : [];
  });
}

/** About how many tokens a text or a message has. */
export function countTokens(text: string | Asked): number {
  const letters =
    typeof text === 'string'
      ? text
      : toMessages([text])
          .map((one) => one.content + JSON.stringify(one.toolCalls ?? ''))
          .join('');
  return Math.ceil(letters.length / LETTERS_A_TOKEN);
}

function addData(message: Message, mimeType: string, data: Uint8Array): void {
  if (mimeType.startsWith('image/')) {
    (message.images ??= []).push({ mediaType: mimeType, data: Buffer.from(data).toString('base64') });
  } else if (mimeType.startsWith('text/') || mimeType.endsWith('json')) {
    message.content += Buffer.from(data).toString('utf8');
  }
}

/** What a tool found: the texts of its parts, and the rest as it can be told. */
function textOf(found: unknown): string {
  const parts: readonly unknown[] = Array.isArray(found) ? found : [found];
  return parts
    .map((part) => {
      const { value } = (part ?? {}) as { readonly value?: unknown };
      return typeof part === 'string' ? part : typeof value === 'string' ? value : JSON.stringify(value ?? part ?? '');
    })
    .join('\n');
}
