import { renderMarkdown } from './markdown';
import { BlockCutter, type Step } from './stream';

/** What the buttons of a code block do. */
export type CodeAction = 'copy' | 'insert' | 'apply';

const BUTTONS: readonly { readonly action: CodeAction; readonly label: string; readonly title: string }[] = [
  { action: 'copy', label: 'Copy', title: 'Copy the code' },
  { action: 'insert', label: 'Insert', title: 'Insert the code at the cursor' },
  { action: 'apply', label: 'Apply', title: 'Have the code worked into the file that is open' },
];

/** An answer that is drawn while it streams: what is complete stays as it is, and is drawn once a frame at most. */
export class Answer {
  readonly element = document.createElement('div');
  private readonly cutter = new BlockCutter();
  private readonly open = document.createElement('div');
  private code: Text | undefined;
  private pending = '';
  private frame: number | undefined;
  private isFinished = false;

  constructor(
    private readonly act: (action: CodeAction, code: string, button: HTMLButtonElement) => void,
    private readonly drawn: () => void,
  ) {
    this.element.className = 'answer';
    this.element.append(this.open);
  }

  append(text: string): void {
    this.pending += text;
    this.frame ??= requestAnimationFrame(() => {
      this.flush();
    });
  }

  /** Draws what is left; nothing comes any more. */
  finish(): void {
    if (!this.isFinished) {
      this.flush();
      this.isFinished = true;
      this.draw(this.cutter.finish());
      this.open.remove();
      this.drawn();
    }
  }

  private flush(): void {
    if (this.frame !== undefined) {
      cancelAnimationFrame(this.frame);
      this.frame = undefined;
    }
    const text = this.pending;
    this.pending = '';
    if (text !== '') {
      this.draw(this.cutter.push(text));
      this.drawn();
    }
  }

  private draw(steps: readonly Step[]): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'block': {
          const block = document.createElement('div');
          block.innerHTML = renderMarkdown(step.text);
          for (const pre of block.querySelectorAll('pre')) {
            const place = document.createComment('');
            pre.replaceWith(place);
            place.replaceWith(this.frameCode(pre, languageOf(pre)));
          }
          this.open.replaceChildren();
          this.open.before(block);
          break;
        }
        case 'open':
          this.open.innerHTML = renderMarkdown(step.text);
          break;
        case 'code': {
          const pre = document.createElement('pre');
          const inner = document.createElement('code');
          this.code = document.createTextNode('');
          inner.append(this.code);
          pre.append(inner);
          this.open.replaceChildren();
          this.open.before(this.frameCode(pre, step.language));
          break;
        }
        case 'more':
          this.code?.appendData(step.text);
          break;
        case 'codeEnd':
          this.code = undefined;
          break;
      }
    }
  }

  private frameCode(pre: HTMLPreElement, language: string): HTMLElement {
    const box = document.createElement('div');
    box.className = 'code';
    const head = document.createElement('div');
    head.className = 'code-head';
    const name = document.createElement('span');
    name.className = 'language';
    name.textContent = language;
    head.append(name);
    for (const { action, label, title } of BUTTONS) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'quiet';
      button.textContent = label;
      button.title = title;
      button.addEventListener('click', () => {
        this.act(action, pre.textContent.replace(/\n$/, ''), button);
      });
      head.append(button);
    }
    pre.tabIndex = 0;
    pre.setAttribute('aria-label', language ? `Code, ${language}` : 'Code');
    box.append(head, pre);
    return box;
  }
}

function languageOf(pre: HTMLPreElement): string {
  return /language-(\S+)/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? '';
}
