import { fieldsOf, type RunEvent, type Said } from '../agents/protocol';
import type { Item, NoticeItem, ToolItem, Update } from './messages';

const RESULT_CHARACTERS = 20_000;
const ARGUMENT_CHARACTERS = 200;

/** The arguments that say what a call is about. */
const MAIN = ['path', 'argv', 'pattern', 'query', 'url'];

/** One conversation as it is shown; each change of it is told as what the view must draw. */
export class Transcript {
  readonly items: Item[] = [];
  title = 'New conversation';
  /** The server's name for it, once something was said. */
  conversationId: string | undefined;
  /** The run that answers now. */
  runId: string | undefined;
  running = false;
  private count = 0;

  /** Makes a conversation of what was kept of it. */
  static of(said: readonly Said[]): Transcript {
    const transcript = new Transcript();
    for (const { role, content } of said) {
      if (role === 'user') {
        const { text, attached } = takeApart(content);
        transcript.ask(text, attached);
      } else {
        transcript.items.push({ kind: 'text', id: transcript.name(), text: content, open: false });
      }
    }
    transcript.running = false;
    return transcript;
  }

  /** Adds what the user says; an answer is expected. */
  ask(text: string, attached: readonly string[] = []): Update[] {
    this.running = true;
    this.runId = undefined;
    return [this.put({ kind: 'user', id: this.name(), text, attached }), { type: 'running', running: true }];
  }

  /** Adds a word of the extension's own, at which the answer ends. */
  fail(text: string): Update[] {
    return this.stop({ kind: 'notice', id: this.name(), level: 'error', text });
  }

  /** Takes in what happens in the run that answers. */
  hear(event: RunEvent): Update[] {
    switch (event.type) {
      case 'text':
        return this.write(event.text);
      case 'tool_call':
        return [...this.closeText(), this.put(this.call(event, 'running'))];
      case 'approval_required': {
        const { summary, diff } = event;
        return [...this.closeText(), this.put({ ...this.call(event, 'asking'), summary, diff })];
      }
      case 'tool_result': {
        const call = this.call({ ...event, arguments: undefined }, 'running');
        const result = cut(event.result);
        const state = call.state === 'denied' ? 'denied' : event.failed ? 'failed' : 'done';
        return [this.put({ ...call, state, result })];
      }
      case 'finished':
        // A model that calls nothing and streams nothing has its answer only here.
        return [...(this.hasAnswer() ? [] : this.write(event.output)), ...this.stop()];
      case 'failed':
        return this.fail(event.error);
      case 'cancelled':
        return this.stop({ kind: 'notice', id: this.name(), level: 'info', text: 'Stopped.' });
      default:
        return [];
    }
  }

  /** Notes the user's answer to a question for permission; undefined when nothing is asked there. */
  decide(callId: string, allow: boolean): Update | undefined {
    const asked = this.find(callId);
    return asked?.state === 'asking' ? this.put({ ...asked, state: allow ? 'running' : 'denied' }) : undefined;
  }

  /** The newest text of an agent, empty when there is none. */
  lastAnswer(): string {
    return this.items.findLast((one) => one.kind === 'text')?.text ?? '';
  }

  private write(text: string): Update[] {
    const last = this.items.at(-1);
    if (text === '') {
      return [];
    }
    if (last?.kind === 'text' && last.open) {
      this.items[this.items.length - 1] = { ...last, text: last.text + text };
      return [{ type: 'append', id: last.id, text }];
    }
    return [this.put({ kind: 'text', id: this.name(), text, open: true })];
  }

  private stop(notice?: NoticeItem): Update[] {
    const left = this.items.filter(
      (one): one is ToolItem => one.kind === 'tool' && (one.state === 'asking' || one.state === 'running'),
    );
    const updates = [...this.closeText(), ...left.map((one) => this.put({ ...one, state: 'stopped' }))];
    if (notice) {
      updates.push(this.put(notice));
    }
    this.running = false;
    this.runId = undefined;
    return [...updates, { type: 'running', running: false }];
  }

  private closeText(): Update[] {
    const last = this.items.at(-1);
    return last?.kind === 'text' && last.open ? [this.put({ ...last, open: false })] : [];
  }

  private hasAnswer(): boolean {
    const question = this.items.findLastIndex((one) => one.kind === 'user');
    return this.items.slice(question + 1).some((one) => one.kind === 'text');
  }

  private call(
    event: { runId: string; callId: string; tool: string; arguments: unknown },
    state: 'running' | 'asking',
  ): ToolItem {
    const before = this.find(event.callId);
    if (before) {
      return { ...before, state: before.state === 'denied' ? 'denied' : state };
    }
    return {
      kind: 'tool',
      id: this.name(),
      runId: event.runId,
      callId: event.callId,
      tool: event.tool,
      argument: describeArguments(event.arguments),
      input: writeOut(event.arguments),
      state,
      summary: '',
      diff: '',
      result: '',
    };
  }

  private find(callId: string): ToolItem | undefined {
    // Models number their calls anew in each answer: the newest is meant.
    return this.items.findLast(
      (one): one is ToolItem =>
        one.kind === 'tool' && one.callId === callId && (this.runId === undefined || one.runId === this.runId),
    );
  }

  private put(item: Item): Update {
    const place = this.items.findIndex((one) => one.id === item.id);
    if (place < 0) {
      this.items.push(item);
    } else {
      this.items[place] = item;
    }
    return { type: 'item', item };
  }

  private name(): string {
    this.count += 1;
    return `item-${String(this.count)}`;
  }
}

/** A call's arguments on one line: what it is about by itself, or else all by name. */
export function describeArguments(value: unknown): string {
  const fields = fieldsOf(value);
  const entries = Object.entries(fields);
  const main = MAIN.find((name) => name in fields) ?? (entries.length === 1 ? entries[0]?.[0] : undefined);
  const text = main === undefined ? entries.map(([name, one]) => `${name}: ${say(one)}`).join(', ') : say(fields[main]);
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > ARGUMENT_CHARACTERS ? `${line.slice(0, ARGUMENT_CHARACTERS - 1)}…` : line;
}

/** A call's arguments in full, each below its name; nothing when one line says it all. */
export function writeOut(value: unknown): string {
  const entries = Object.entries(fieldsOf(value));
  const [only] = entries;
  if (entries.length === 0 || (entries.length === 1 && only && say(only[1]) === describeArguments(value))) {
    return '';
  }
  return cut(
    entries
      .map(([name, one]) => {
        const text = say(one);
        return text.includes('\n') ? `${name}:\n${text.trimEnd()}` : `${name}: ${text}`;
      })
      .join('\n'),
  );
}

function say(value: unknown): string {
  const isList = Array.isArray(value) && value.every((part) => typeof part === 'string');
  return typeof value === 'string' ? value : isList ? value.join(' ') : (JSON.stringify(value) ?? '');
}

function cut(text: string): string {
  return text.length > RESULT_CHARACTERS ? `${text.slice(0, RESULT_CHARACTERS)}\n[…]` : text;
}

/** A question with the answer that it follows, as the server attaches things. */
export function attachAnswer(text: string, answer: string): string {
  if (answer.trim() === '') {
    return text;
  }
  const fence = '`'.repeat(Math.max(3, ...[...answer.matchAll(/`+/g)].map((found) => found[0].length + 1)));
  // An at sign in it attaches nothing: a blank of no width stands behind each.
  const quoted = cut(answer.trimEnd()).replaceAll('@', '@\u200b');
  return `${text}\n\nAttached, your answer before:\n${fence}\n${quoted}\n${fence}`;
}

/** What the user wrote, without the texts that the server put behind it, whose names are returned. */
export function takeApart(content: string): { text: string; attached: string[] } {
  const parts = content.split(/\n\n(?=Attached, [^\n]*:\n`{3})/);
  const attached = parts.slice(1).map((part) => /^Attached, ([^\n]*):\n/.exec(part)?.[1] ?? '');
  return { text: parts[0] ?? '', attached };
}
