import type { Suggestion, Wish } from '../chat/messages';
import { element } from './items';

/** The text behind the last at sign before the cursor, if a mention is being typed. */
export function mentionAt(text: string, cursor: number): { start: number; query: string } | undefined {
  const found = /(?:^|[\s(])@("[^"\n]*|[\w./:\\-]*)$/.exec(text.slice(0, cursor));
  const query = found?.[1];
  return query === undefined ? undefined : { start: cursor - query.length - 1, query: query.replace(/^"/, '') };
}

/** The field in which the question is typed, with completion of mentions. */
export class Composer {
  private asked = 0;
  private chosen = 0;
  private suggestions: readonly Suggestion[] = [];

  constructor(
    readonly field: HTMLTextAreaElement,
    private readonly list: HTMLElement,
    private readonly post: (wish: Wish) => void,
    private readonly send: () => void,
    private readonly stop: () => void,
    private readonly changed: () => void,
  ) {
    field.addEventListener('input', () => {
      this.grow();
      this.suggest();
      this.changed();
    });
    field.addEventListener('keydown', (event) => {
      this.press(event);
    });
    field.addEventListener('blur', () => {
      this.hide();
    });
  }

  set text(text: string) {
    this.field.value = text;
    this.grow();
  }

  get text(): string {
    return this.field.value;
  }

  /** Shows what a mention can be, if that is still what is typed. */
  offer(asked: number, suggestions: readonly Suggestion[]): void {
    if (asked !== this.asked || !mentionAt(this.text, this.field.selectionStart)) {
      return;
    }
    this.suggestions = suggestions;
    this.chosen = 0;
    this.draw();
  }

  private press(event: KeyboardEvent): void {
    if (event.isComposing) {
      return;
    }
    if (this.suggestions.length > 0 && this.pressInList(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'Escape') {
      this.stop();
    }
  }

  private pressInList({ key, shiftKey }: KeyboardEvent): boolean {
    const count = this.suggestions.length;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      this.chosen = (this.chosen + (key === 'ArrowDown' ? 1 : count - 1)) % count;
      this.draw();
    } else if ((key === 'Enter' && !shiftKey) || key === 'Tab') {
      this.take(this.chosen);
    } else if (key === 'Escape') {
      this.hide();
    } else {
      return false;
    }
    return true;
  }

  private suggest(): void {
    this.asked += 1;
    const mention = mentionAt(this.text, this.field.selectionStart);
    if (mention) {
      this.post({ type: 'suggest', ask: this.asked, query: mention.query });
    } else {
      this.hide();
    }
  }

  private take(index: number): void {
    const { field } = this;
    const suggestion = this.suggestions[index];
    const mention = mentionAt(this.text, field.selectionStart);
    this.hide();
    if (!suggestion || !mention) {
      return;
    }
    field.setRangeText(suggestion.insert + (suggestion.more ? '' : ' '), mention.start, field.selectionStart, 'end');
    this.grow();
    this.changed();
    if (suggestion.more) {
      this.suggest();
    }
  }

  private hide(): void {
    this.asked += 1;
    this.suggestions = [];
    this.draw();
  }

  private draw(): void {
    const { list, field } = this;
    list.hidden = this.suggestions.length === 0;
    list.replaceChildren(
      ...this.suggestions.map(({ label, detail }, index) => {
        const row = element('div', 'suggestion');
        row.id = `suggestion-${String(index)}`;
        row.setAttribute('role', 'option');
        row.setAttribute('aria-selected', String(index === this.chosen));
        row.append(element('span', 'label', label), element('span', 'detail', detail));
        // Before the field loses the focus, which would take the list down.
        row.addEventListener('mousedown', (event) => {
          event.preventDefault();
          this.take(index);
        });
        return row;
      }),
    );
    if (list.hidden) {
      field.removeAttribute('aria-activedescendant');
    } else {
      field.setAttribute('aria-activedescendant', `suggestion-${String(this.chosen)}`);
      list.children[this.chosen]?.scrollIntoView({ block: 'nearest' });
    }
  }

  private grow(): void {
    this.field.style.height = 'auto';
    this.field.style.height = `${String(this.field.scrollHeight + 2)}px`;
  }
}
