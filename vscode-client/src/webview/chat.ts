import './chat.css';
import { type ChatState, readUpdate, type Update, type Wish } from '../chat/messages';
import type { Agent, ConversationHead } from '../agents/protocol';
import { Composer } from './composer';
import { element, ItemList } from './items';

declare function acquireVsCodeApi(): {
  postMessage(message: Wish): void;
  getState(): unknown;
  setState(state: { readonly draft: string }): void;
};

const host = acquireVsCodeApi();
const post = (wish: Wish) => {
  host.postMessage(wish);
};

function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`The page has no ${id}.`);
  }
  return found as T;
}

const page = find('page');
const scroller = find('scroller');
const spoken = find('spoken');
const title = find('title');
const history = find('history');
const stopButton = find<HTMLButtonElement>('stop');
const sendButton = find<HTMLButtonElement>('send');
const agentPicker = find<HTMLSelectElement>('agent');
const subject = find('subject');

let running = false;
let isAtEnd = true;
scroller.addEventListener('scroll', () => {
  isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24;
});

const say = (text: string) => {
  spoken.textContent = text.slice(0, 5000);
};
const items = new ItemList(find('items'), say, post, () => {
  // Who has scrolled up reads there.
  if (isAtEnd) {
    scroller.scrollTop = scroller.scrollHeight;
  }
});
const composer = new Composer(
  find<HTMLTextAreaElement>('question'),
  find('suggestions'),
  post,
  send,
  () => {
    if (running) {
      post({ type: 'stop' });
    }
  },
  () => {
    host.setState({ draft: composer.text });
    showButtons();
  },
);

function send(): void {
  if (running || composer.text.trim() === '') {
    return;
  }
  isAtEnd = true;
  post({ type: 'send', text: composer.text, agent: agentPicker.value });
  composer.text = '';
  host.setState({ draft: '' });
  showButtons();
}

function showButtons(): void {
  stopButton.hidden = !running;
  sendButton.hidden = running;
  sendButton.disabled = composer.text.trim() === '';
  page.dataset['running'] = String(running);
}

function showState(state: ChatState): void {
  items.clear();
  say('');
  isAtEnd = true;
  title.textContent = state.title;
  for (const item of state.items) {
    items.put(item);
  }
  running = state.running;
  showAgents(state.agents, state.agent);
  showSubject(state.subject);
  showHistory(undefined);
  showButtons();
}

function showAgents(agents: readonly Agent[], chosen: string): void {
  const names = agents.some((one) => one.name === chosen) ? agents : [{ name: chosen, description: '' }, ...agents];
  agentPicker.replaceChildren(
    ...names.map(({ name, description }) => {
      const option = document.createElement('option');
      option.value = name;
      option.textContent = name;
      option.title = description;
      option.selected = name === chosen;
      return option;
    }),
  );
}

function showSubject(shown: ChatState['subject']): void {
  subject.hidden = shown === undefined;
  subject.replaceChildren();
  if (shown) {
    const drop = element('button', 'quiet', '×');
    drop.title = 'Do not send it along';
    drop.setAttribute('aria-label', `Do not send ${shown.label} along`);
    drop.addEventListener('click', () => {
      post({ type: 'dropSubject' });
      composer.field.focus();
    });
    subject.append(element('span', 'chip', shown.label), drop);
  }
}

function showHistory(conversations: readonly ConversationHead[] | undefined): void {
  history.hidden = conversations === undefined;
  scroller.hidden = conversations !== undefined;
  find('show-history').setAttribute('aria-expanded', String(!history.hidden));
  history.replaceChildren();
  if (conversations?.length === 0) {
    history.append(element('p', 'notice info', 'Nothing was said yet.'));
  }
  for (const { id, title: name, updatedAt } of conversations ?? []) {
    const row = element('button', 'conversation');
    row.append(element('span', 'label', name || 'Untitled'), element('span', 'detail', ageOf(updatedAt)));
    row.addEventListener('click', () => {
      post({ type: 'open', id });
      composer.field.focus();
    });
    history.append(row);
  }
  history.querySelector('button')?.focus();
}

function ageOf(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

function receive(update: Update): void {
  switch (update.type) {
    case 'state':
      showState(update.state);
      break;
    case 'item':
      items.put(update.item);
      break;
    case 'append':
      items.append(update.id, update.text);
      break;
    case 'running':
      running = update.running;
      showButtons();
      break;
    case 'title':
      title.textContent = update.title;
      break;
    case 'agents':
      showAgents(update.agents, update.agent);
      break;
    case 'subject':
      showSubject(update.subject);
      break;
    case 'history':
      showHistory(update.conversations);
      break;
    case 'suggestions':
      composer.offer(update.ask, update.suggestions);
      break;
    case 'focus':
      composer.field.focus();
      break;
  }
}

window.addEventListener('message', ({ data }) => {
  const update = readUpdate(data);
  if (update) {
    receive(update);
  }
});
sendButton.addEventListener('click', send);
stopButton.addEventListener('click', () => {
  post({ type: 'stop' });
  composer.field.focus();
});
find('new').addEventListener('click', () => {
  post({ type: 'new' });
  composer.field.focus();
});
find('show-history').addEventListener('click', () => {
  if (history.hidden) {
    post({ type: 'history' });
  } else {
    showHistory(undefined);
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') {
    return;
  }
  if (!history.hidden) {
    showHistory(undefined);
    composer.field.focus();
  } else if (running && event.target !== composer.field) {
    post({ type: 'stop' });
  }
});

const kept = host.getState() as { readonly draft?: unknown } | undefined;
if (typeof kept?.draft === 'string') {
  composer.text = kept.draft;
}
showButtons();
post({ type: 'ready' });
