/** What is to be drawn of a Markdown text that streams. */
export type Step =
  /** A block that is complete; it takes the place of the last `open`. */
  | { readonly kind: 'block'; readonly text: string }
  /** The newest block as far as it goes. */
  | { readonly kind: 'open'; readonly text: string }
  /** Code at the top level begins; it takes the place of the last `open`. */
  | { readonly kind: 'code'; readonly language: string }
  /** More of the code that goes on. */
  | { readonly kind: 'more'; readonly text: string }
  | { readonly kind: 'codeEnd' };

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`]*)$/;
const ANY_FENCE = /^\s*(`{3,}|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;

/**
 * Cuts a Markdown text that streams into its blocks, so that each is drawn once and only the newest again and again.
 *
 * Code grows at its end and is never drawn anew, however long it gets.
 */
export class BlockCutter {
  private rest = '';
  private block: string[] = [];
  private fence: string | undefined;
  private innerFence: string | undefined;
  private isBlank = false;

  /** Takes more text in. */
  push(text: string): Step[] {
    const steps: Step[] = [];
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      this.take(line.replace(/\r$/, ''), steps);
    }
    if (this.fence === undefined) {
      // The line may still become a fence: half of one would flash as text.
      const partial = /^ {0,3}(?:`+[^`]*|~+)$/.test(this.rest) && !this.innerFence ? '' : this.rest;
      steps.push({ kind: 'open', text: [...this.block, partial].join('\n') });
    }
    return steps;
  }

  /** Takes the end in. */
  finish(): Step[] {
    const steps: Step[] = [];
    if (this.rest !== '') {
      this.take(this.rest, steps);
      this.rest = '';
    }
    if (this.fence !== undefined) {
      this.fence = undefined;
      steps.push({ kind: 'codeEnd' });
    }
    this.close(steps);
    return steps;
  }

  private take(line: string, steps: Step[]): void {
    if (this.fence !== undefined) {
      if (closes(line, this.fence)) {
        this.fence = undefined;
        steps.push({ kind: 'codeEnd' });
      } else {
        steps.push({ kind: 'more', text: `${line}\n` });
      }
      return;
    }
    if (this.innerFence !== undefined) {
      this.innerFence = closes(line.trimStart(), this.innerFence) ? undefined : this.innerFence;
      this.block.push(line);
      return;
    }
    const isInList = LIST_ITEM.test(this.block[0] ?? '');
    const opening = FENCE.exec(line);
    if (opening && !(isInList && line.startsWith(' '))) {
      this.close(steps);
      this.fence = opening[1];
      steps.push({ kind: 'code', language: (opening[2] ?? '').trim().split(/\s/)[0] ?? '' });
      return;
    }
    if (line.trim() === '') {
      this.isBlank = this.block.length > 0;
      if (this.isBlank) {
        this.block.push('');
      }
      return;
    }
    if (this.isBlank && !/^\s/.test(line) && !(isInList && LIST_ITEM.test(line))) {
      this.close(steps);
    }
    this.isBlank = false;
    this.innerFence = ANY_FENCE.exec(line)?.[1];
    this.block.push(line);
  }

  private close(steps: Step[]): void {
    const text = this.block.join('\n');
    this.block = [];
    this.isBlank = false;
    this.innerFence = undefined;
    if (text.trim() !== '') {
      steps.push({ kind: 'block', text });
    }
  }
}

function closes(line: string, fence: string): boolean {
  const end = /^ {0,3}(`{3,}|~{3,})\s*$/.exec(line)?.[1];
  return end !== undefined && end[0] === fence[0] && end.length >= fence.length;
}
