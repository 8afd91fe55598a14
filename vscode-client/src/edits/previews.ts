import {
  type Comment,
  CommentMode,
  comments,
  type CommentThread,
  CommentThreadCollapsibleState,
  commands,
  type Disposable,
  MarkdownString,
  OverviewRulerLane,
  Range,
  StatusBarAlignment,
  type TextEditor,
  TextEditorRevealType,
  Selection,
  ThemeColor,
  Uri,
  window,
  workspace,
} from 'vscode';
import type { RunEvent } from '../agents/protocol';
import type { Runs } from '../agents/runs';
import { HunkBook, keyOf, lineChange, type OpenHunk } from './hunks';
import { Proposals } from './proposals';

const SHOWN = 'dragoman.hunksShown';
const PAUSE_MILLISECONDS = 60;
const SETTLED_MILLISECONDS = 200;

interface Shown {
  readonly thread: CommentThread;
  text: string;
  revision: number;
}

/**
 * Shows the changes that agents want to make, where they are to be made, while they stream.
 *
 * Nothing is written into a document before it is accepted: the lines that go are marked, and the new ones stand in a
 * zone of the editor between the lines, which works with the keyboard and is read by screen readers.
 */
export class Previews implements Disposable {
  private readonly book = new HunkBook();
  private readonly shown = new Map<string, Shown>();
  private readonly controller = comments.createCommentController('dragoman.edits', 'Dragoman');
  private readonly item = window.createStatusBarItem('dragoman.hunks', StatusBarAlignment.Right, 98);
  private readonly proposals = new Proposals((uri) => this.book.open(uri));
  private readonly going = window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new ThemeColor('diffEditor.removedLineBackground'),
    // Themes of high contrast have no such background, and a border instead.
    outline: '1px dashed var(--vscode-diffEditor-removedTextBorder, transparent)',
    overviewRulerColor: new ThemeColor('diffEditorOverview.removedForeground'),
    overviewRulerLane: OverviewRulerLane.Full,
  });
  private readonly place = window.createTextEditorDecorationType({
    isWholeLine: true,
    overviewRulerColor: new ThemeColor('diffEditorOverview.insertedForeground'),
    overviewRulerLane: OverviewRulerLane.Full,
  });
  private readonly decorated = new WeakMap<TextEditor, number>();
  private timer: NodeJS.Timeout | undefined;
  private settling: NodeJS.Timeout | undefined;
  private readonly listeners: Disposable[];

  constructor(private readonly runs: Runs) {
    this.item.name = 'Dragoman: Proposed Changes';
    this.item.command = 'dragoman.client.nextHunk';
    this.listeners = [
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) {
          this.book.documentChanged(document.uri.toString(), document.version, contentChanges);
          this.drawSoon();
          this.settle();
        }
      }),
      workspace.onDidCloseTextDocument((document) => {
        this.book.documentClosed(document.uri.toString());
        this.drawSoon();
      }),
      window.onDidChangeVisibleTextEditors(() => {
        this.drawSoon();
      }),
      window.onDidChangeActiveTextEditor(() => {
        this.drawSoon();
      }),
    ];
  }

  dispose(): void {
    clearTimeout(this.timer);
    clearTimeout(this.settling);
    for (const each of [...this.listeners, this.controller, this.item, this.going, this.place, this.proposals]) {
      each.dispose();
    }
  }

  /** Takes in what happens in a run. */
  heard(event: RunEvent): void {
    if (event.type === 'edit') {
      const hunk = this.book.hear(event.runId, event.uri, event.version, event.hunk);
      if (hunk?.state === 'conflict') {
        void window.showWarningMessage('Dragoman left out one of its changes: you have typed there meanwhile.');
      }
      this.drawSoon();
    } else if (event.type === 'failed' || event.type === 'cancelled') {
      // What is half said is dropped; what was finished before can still be had.
      this.book.drop((hunk) => hunk.runId === event.runId && hunk.state === 'proposed');
      this.drawSoon();
    }
  }

  /** No server runs that could make a change. */
  ended(): void {
    this.book.drop(() => true);
    this.drawSoon();
  }

  /** How many changes of a run wait for a decision. */
  count(runId: string): number {
    return this.book.open().filter((hunk) => hunk.runId === runId).length;
  }

  /** Makes or drops one hunk: the one of a zone whose button was pressed, else the one at the cursor. */
  async decide(accept: boolean, thread?: CommentThread): Promise<void> {
    const chosen = thread ? this.hunkOf(thread) : this.hunkAtCursor();
    if (chosen) {
      await this.carryOut(accept, [chosen]);
    }
  }

  /** Makes or drops all hunks of the active document; of all documents when that has none. */
  async decideAll(accept: boolean): Promise<void> {
    const here = this.book.open(window.activeTextEditor?.document.uri.toString());
    await this.carryOut(accept, here.length > 0 ? here : this.book.open());
  }

  /** Shows the active document beside what it would be with all hunks made. */
  async showDiff(): Promise<void> {
    const uri = window.activeTextEditor?.document.uri ?? this.uriOfFirst();
    if (uri) {
      await this.proposals.open(uri);
    }
  }

  /** Puts the cursor at the next hunk after it, in whatever document. */
  async next(): Promise<void> {
    const all = this.book.open();
    const editor = window.activeTextEditor;
    const here = editor?.document.uri.toString();
    const line = editor?.selection.active.line ?? -1;
    const after = all.findIndex((hunk) => hunk.uri === here && hunk.range.start.line > line);
    const target = all[after >= 0 ? after : 0];
    if (target) {
      const shown = await window.showTextDocument(Uri.parse(target.uri));
      const range = rangeOf(target);
      shown.selection = new Selection(range.start, range.start);
      shown.revealRange(range, TextEditorRevealType.InCenterIfOutsideViewport);
    }
  }

  private async carryOut(accept: boolean, hunks: readonly OpenHunk[]): Promise<void> {
    const ready = hunks.filter((hunk) => !accept || hunk.state === 'final');
    const command = accept ? 'dragoman.acceptEdit' : 'dragoman.rejectEdit';
    for (const runId of new Set(ready.map((hunk) => hunk.runId))) {
      const some = ready.filter((hunk) => hunk.runId === runId).map((hunk) => hunk.id);
      await this.runs.execute(command, { runId, hunks: some });
    }
  }

  private hunkOf(thread: CommentThread): OpenHunk | undefined {
    const key = [...this.shown].find(([, shown]) => shown.thread === thread)?.[0];
    return this.book.open().find((hunk) => keyOf(hunk.runId, hunk.id) === key);
  }

  private hunkAtCursor(): OpenHunk | undefined {
    const editor = window.activeTextEditor;
    const all = this.book.open(editor?.document.uri.toString());
    const line = editor?.selection.active.line ?? 0;
    return all.find((hunk) => hunk.range.start.line <= line && line <= hunk.range.end.line) ?? all[0];
  }

  private uriOfFirst(): Uri | undefined {
    const first = this.book.open()[0];
    return first && Uri.parse(first.uri);
  }

  /** Draws at most so often as a person sees, however fast a model speaks. */
  private drawSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.draw();
    }, PAUSE_MILLISECONDS);
  }

  /** Draws everything anew once typing pauses: what was on its way to the editor meanwhile came to a place of before. */
  private settle(): void {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.book.revision += 1;
      this.drawSoon();
    }, SETTLED_MILLISECONDS);
  }

  private draw(): void {
    const all = this.book.open();
    const wanted = new Set(all.map((hunk) => keyOf(hunk.runId, hunk.id)));
    for (const [key, { thread }] of this.shown) {
      if (!wanted.has(key)) {
        thread.dispose();
        this.shown.delete(key);
      }
    }
    for (const hunk of all) {
      this.drawZone(hunk);
    }
    for (const editor of window.visibleTextEditors) {
      this.decorate(editor);
    }
    this.showCount(all);
    this.proposals.refresh();
  }

  private drawZone(hunk: OpenHunk): void {
    const key = keyOf(hunk.runId, hunk.id);
    const text = bodyOf(hunk);
    const { revision } = this.book;
    const before = this.shown.get(key);
    if (!before) {
      const thread = this.controller.createCommentThread(Uri.parse(hunk.uri), zoneOf(hunk), [commentOf(text)]);
      thread.canReply = false;
      thread.collapsibleState = CommentThreadCollapsibleState.Expanded;
      thread.label = labelOf(hunk);
      thread.contextValue = hunk.state;
      this.shown.set(key, { thread, text, revision });
      return;
    }
    const { thread } = before;
    if (before.text !== text) {
      before.text = text;
      thread.comments = [commentOf(text)];
      thread.label = labelOf(hunk);
    }
    // The editor moves the zone with what is typed; a place that was told late would make it jump.
    if (before.revision !== revision) {
      before.revision = revision;
      thread.range = zoneOf(hunk);
    }
    if (thread.contextValue !== hunk.state) {
      thread.contextValue = hunk.state;
      thread.label = labelOf(hunk);
    }
  }

  private decorate(editor: TextEditor): void {
    if (this.decorated.get(editor) === this.book.revision) {
      return;
    }
    this.decorated.set(editor, this.book.revision);
    const hunks = this.book.open(editor.document.uri.toString());
    editor.setDecorations(this.going, hunks.filter((hunk) => lineChange(hunk).removed.length > 0).map(linesOf));
    editor.setDecorations(this.place, hunks.filter((hunk) => lineChange(hunk).removed.length === 0).map(zoneOf));
  }

  private showCount(all: readonly OpenHunk[]): void {
    const here = window.activeTextEditor?.document.uri.toString();
    const count = String(all.length);
    const noun = all.length === 1 ? 'change' : 'changes';
    this.item.text = `$(diff) ${count} ${noun}`;
    this.item.tooltip = `Dragoman proposes ${count} ${noun}. Click to go to the next.`;
    this.item.accessibilityInformation = { label: `Dragoman proposes ${count} ${noun}`, role: 'button' };
    if (all.length > 0) {
      this.item.show();
    } else {
      this.item.hide();
    }
    void commands.executeCommand(
      'setContext',
      SHOWN,
      all.some((hunk) => hunk.uri === here),
    );
  }
}

function commentOf(body: string): Comment {
  return { author: { name: 'Dragoman' }, body: new MarkdownString(body), mode: CommentMode.Preview };
}

/** The lines that come; those that go are marked where they stand, right above. */
function bodyOf(hunk: OpenHunk): string {
  const text = lineChange(hunk)
    .added.map((line) => `+${line}`)
    .join('\n');
  if (text === '') {
    return hunk.state === 'final' ? '*Nothing comes in their place.*' : '…';
  }
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map((found) => found[0].length + 1)));
  return `${fence}diff\n${text}\n${fence}`;
}

function labelOf(hunk: OpenHunk): string {
  const { removed, added } = lineChange(hunk);
  const lines = `−${String(removed.length)} +${String(added.length)}`;
  return hunk.state === 'final' ? `Proposed change, lines ${lines}` : `Writing a change …`;
}

function rangeOf({ range: { start, end } }: OpenHunk): Range {
  return new Range(start.line, start.character, end.line, end.character);
}

/** The lines that go. */
function linesOf(hunk: OpenHunk): Range {
  const { line, removed } = lineChange(hunk);
  return new Range(line, 0, line + removed.length - 1, removed.at(-1)?.length ?? 0);
}

/** The zone stands below the last of the lines that go, or below the line that new ones follow. */
function zoneOf(hunk: OpenHunk): Range {
  const { line, removed } = lineChange(hunk);
  const last = Math.max(0, line + removed.length - 1);
  return new Range(last, 0, last, 0);
}
