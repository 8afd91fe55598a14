import type { Item, NoticeItem, Remember, ToolItem, ToolState, UserItem, Wish } from '../chat/messages';
import { Answer, type CodeAction } from './answer';

const STATES: Record<ToolState, string> = {
  running: 'running',
  asking: 'asks for permission',
  done: 'done',
  failed: 'failed',
  denied: 'denied',
  stopped: 'stopped',
};

const ANSWERS: readonly { readonly label: string; readonly allow: boolean; readonly remember: Remember }[] = [
  { label: 'Allow once', allow: true, remember: 'once' },
  { label: 'Allow in this run', allow: true, remember: 'run' },
  { label: 'Always allow', allow: true, remember: 'always' },
  { label: 'Deny', allow: false, remember: 'once' },
];

/** The list of what was said and done; draws items and changes of them. */
export class ItemList {
  private readonly elements = new Map<string, HTMLElement>();
  private readonly answers = new Map<string, Answer>();

  constructor(
    private readonly list: HTMLElement,
    private readonly say: (text: string) => void,
    private readonly post: (wish: Wish) => void,
    private readonly drawn: () => void,
  ) {}

  clear(): void {
    this.elements.clear();
    this.answers.clear();
    this.list.replaceChildren();
  }

  append(id: string, text: string): void {
    this.answers.get(id)?.append(text);
  }

  put(item: Item): void {
    if (item.kind === 'text') {
      this.putAnswer(item);
      return;
    }
    const fresh = item.kind === 'user' ? drawUser(item) : item.kind === 'tool' ? this.drawTool(item) : drawNotice(item);
    const old = this.elements.get(item.id);
    this.elements.set(item.id, fresh);
    if (old) {
      const hadFocus = old.contains(document.activeElement);
      if (
        old instanceof HTMLDetailsElement &&
        fresh instanceof HTMLDetailsElement &&
        fresh.dataset['state'] !== 'asking'
      ) {
        fresh.open = old.open && old.dataset['state'] !== 'asking';
      }
      old.replaceWith(fresh);
      if (hadFocus) {
        (fresh.querySelector<HTMLElement>('summary') ?? fresh).focus();
      }
    } else {
      this.list.append(fresh);
    }
    this.drawn();
  }

  private putAnswer(item: Extract<Item, { kind: 'text' }>): void {
    let answer = this.answers.get(item.id);
    if (!answer) {
      answer = new Answer((action, code, button) => {
        this.act(action, code, button);
      }, this.drawn);
      answer.element.dataset['kind'] = 'text';
      this.answers.set(item.id, answer);
      this.list.append(answer.element);
      answer.append(item.text);
    }
    if (!item.open) {
      answer.finish();
      this.say(answer.element.innerText);
    }
  }

  private act(action: CodeAction, code: string, button: HTMLButtonElement): void {
    this.post({ type: action, code });
    if (action === 'copy') {
      button.textContent = 'Copied';
      this.say('Copied');
      setTimeout(() => (button.textContent = 'Copy'), 1500);
    }
  }

  private drawTool(item: ToolItem): HTMLElement {
    const box = document.createElement('details');
    box.className = 'tool';
    box.dataset['kind'] = 'tool';
    box.dataset['state'] = item.state;
    const head = document.createElement('summary');
    const mark = element('span', 'mark');
    mark.setAttribute('aria-hidden', 'true');
    head.append(mark, element('span', 'tool-name', item.tool), element('span', 'tool-argument', item.argument));
    head.append(element('span', 'tool-state', STATES[item.state]));
    box.append(head);
    if (item.summary) {
      box.append(element('p', 'tool-summary', item.summary));
    }
    if (item.input && !item.diff) {
      box.append(block(item.input, 'Arguments'));
    }
    if (item.diff) {
      box.append(drawDiff(item.diff));
    }
    if (item.result) {
      box.append(block(item.result, 'Result'));
    }
    if (item.state === 'asking') {
      box.open = true;
      box.append(this.drawQuestion(item));
      this.say(`${item.summary || item.tool}: permission is needed.`);
    }
    return box;
  }

  private drawQuestion(item: ToolItem): HTMLElement {
    const question = element('div', 'question');
    question.setAttribute('role', 'group');
    question.setAttribute('aria-label', `May ${item.tool} run?`);
    for (const { label, allow, remember } of ANSWERS) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = label;
      button.className = label === 'Allow once' ? 'primary' : 'secondary';
      button.addEventListener('click', () => {
        // A button that is switched off loses the focus to nothing, and who uses keys their place.
        question.closest('details')?.querySelector('summary')?.focus();
        for (const each of question.querySelectorAll('button')) {
          each.disabled = true;
        }
        this.post({ type: 'approve', runId: item.runId, callId: item.callId, allow, remember });
      });
      question.append(button);
    }
    return question;
  }
}

function drawUser(item: UserItem): HTMLElement {
  const box = element('div', 'user');
  box.dataset['kind'] = 'user';
  box.append(element('span', 'hidden', 'You: '), document.createTextNode(item.text));
  if (item.attached.length > 0) {
    const attached = element('div', 'attached');
    for (const name of item.attached) {
      attached.append(element('span', 'chip', name));
    }
    box.append(attached);
  }
  return box;
}

function drawNotice(item: NoticeItem): HTMLElement {
  const box = element('p', `notice ${item.level}`, item.text);
  box.dataset['kind'] = 'notice';
  if (item.level === 'error') {
    box.setAttribute('role', 'alert');
  }
  return box;
}

function drawDiff(diff: string): HTMLElement {
  const pre = block('', 'Change');
  pre.classList.add('diff');
  for (const line of diff.trimEnd().split('\n')) {
    const kind = /^(\+\+\+|---|@@)/.test(line)
      ? 'place'
      : line.startsWith('+')
        ? 'added'
        : line.startsWith('-')
          ? 'removed'
          : '';
    pre.append(element('span', kind, `${line}\n`));
  }
  return pre;
}

function block(text: string, label: string): HTMLElement {
  const pre = element('pre', 'block', text);
  pre.tabIndex = 0;
  pre.setAttribute('aria-label', label);
  return pre;
}

export function element(name: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
