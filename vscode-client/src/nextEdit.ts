import {
  CancellationTokenSource,
  commands,
  type Disposable,
  Range,
  Selection,
  StatusBarAlignment,
  type StatusBarItem,
  type TextEditor,
  TextEditorRevealType,
  ThemeColor,
  Uri,
  window,
  workspace,
} from 'vscode';
import { describeDue, type Due, isKnown, preview, readDue } from './due';
import type { Server } from './server';

const SHOWN = 'dragoman.nextEditShown';
const PAUSE_MILLISECONDS = 400;

/** Shows where the last change is due next: a word in the status bar, and on a key the change at its place. */
export class NextEdits implements Disposable {
  private readonly item: StatusBarItem;
  private readonly removed = window.createTextEditorDecorationType({
    textDecoration: 'line-through',
    backgroundColor: new ThemeColor('diffEditor.removedTextBackground'),
  });
  private readonly added = window.createTextEditorDecorationType({});
  private readonly listeners: Disposable[];
  private shown: { readonly due: Due; readonly editor: TextEditor } | undefined;
  private busy: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private asking: CancellationTokenSource | undefined;

  constructor(private readonly server: Server) {
    this.item = window.createStatusBarItem('dragoman.nextEdit', StatusBarAlignment.Right, 99);
    this.item.name = 'Dragoman: Next Edit';
    this.item.command = 'dragoman.client.nextEdit';
    this.listeners = [
      workspace.onDidChangeTextDocument((event) => {
        if (event.contentChanges.length > 0 && !this.busy) {
          this.hide();
          this.announceLater();
        }
      }),
      window.onDidChangeActiveTextEditor(() => {
        if (!this.busy) {
          this.hide();
          this.announceLater();
        }
      }),
      window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
        const place = this.shown?.due.range;
        const line = selections[0]?.active.line ?? -1;
        if (
          !this.busy &&
          this.shown?.editor === textEditor &&
          place &&
          (line < place.start.line || line > place.end.line)
        ) {
          this.hide();
        }
      }),
    ];
  }

  /** Makes the change that is shown and shows the one after it; shows the next when none is. */
  go(): Promise<void> {
    // A key that comes while the last one is at work means the change that will be shown then: it must not reach the text.
    this.busy ??= this.step().finally(() => {
      this.busy = undefined;
    });
    return this.busy;
  }

  /** Takes down what is shown, and has the server offer it no more. */
  async dismiss(): Promise<void> {
    this.hide();
    this.item.hide();
    await this.server.notify('dragoman/dismissNextEdit', {});
  }

  dispose(): void {
    this.hide();
    clearTimeout(this.timer);
    this.asking?.dispose();
    for (const each of [...this.listeners, this.item, this.removed, this.added]) {
      each.dispose();
    }
  }

  private async step(): Promise<void> {
    if (this.shown && isKnown(this.shown.due)) {
      const { due, editor } = this.shown;
      this.clear(editor);
      if (editor.document.version === due.version) {
        const range = rangeOf(due);
        await editor.edit((builder) => {
          builder.replace(range, due.newText);
        });
      }
    }
    const due = await this.ask();
    this.announce(due);
    if (due) {
      await this.show(due);
    } else {
      this.hide();
    }
  }

  private async show(due: Due): Promise<void> {
    const document = await workspace.openTextDocument(Uri.parse(due.uri));
    const editor = await window.showTextDocument(document);
    if (document.version !== due.version) {
      this.hide();
      return;
    }
    const range = rangeOf(due);
    editor.selection = new Selection(range.start, range.start);
    editor.revealRange(range, TextEditorRevealType.InCenterIfOutsideViewport);
    const text = isKnown(due) ? preview(due.newText) : ` ${due.label}`;
    editor.setDecorations(this.removed, range.isEmpty ? [] : [range]);
    editor.setDecorations(this.added, [
      {
        range: new Range(range.end, range.end),
        renderOptions: {
          after: {
            // Blanks at the ends would not be drawn.
            contentText: text.replaceAll(' ', '\u00a0'),
            color: new ThemeColor('editorGhostText.foreground'),
            backgroundColor: new ThemeColor('diffEditor.insertedTextBackground'),
            fontStyle: 'italic',
          },
        },
      },
    ]);
    this.shown = { due, editor };
    await commands.executeCommand('setContext', SHOWN, true);
  }

  private hide(): void {
    if (this.shown) {
      this.clear(this.shown.editor);
    }
    void commands.executeCommand('setContext', SHOWN, false);
  }

  private clear(editor: TextEditor): void {
    editor.setDecorations(this.removed, []);
    editor.setDecorations(this.added, []);
    this.shown = undefined;
  }

  private announceLater(): void {
    clearTimeout(this.timer);
    this.item.hide();
    this.timer = setTimeout(() => {
      void this.ask().then((due) => {
        this.announce(due);
      });
    }, PAUSE_MILLISECONDS);
  }

  private announce(due: Due | undefined): void {
    if (!due) {
      this.item.hide();
      return;
    }
    this.item.text = `$(arrow-right) ${describeDue(due, window.activeTextEditor?.document.uri.toString())}`;
    const places = due.count > 1 ? `, one of ${String(due.count)} places` : '';
    this.item.tooltip = `Dragoman: ${due.label}${places}`;
    this.item.show();
  }

  /** Asks the server for what is due after the cursor; a newer question makes an older one pointless. */
  private async ask(): Promise<Due | undefined> {
    clearTimeout(this.timer);
    this.asking?.cancel();
    this.asking?.dispose();
    const asking = (this.asking = new CancellationTokenSource());
    const editor = window.activeTextEditor;
    if (!editor) {
      return undefined;
    }
    const { line, character } = editor.selection.active;
    try {
      const answer = await this.server.request(
        'dragoman/nextEdit',
        { textDocument: { uri: editor.document.uri.toString() }, position: { line, character } },
        asking.token,
      );
      return asking.token.isCancellationRequested ? undefined : readDue(answer);
    } catch {
      // Cancelled, or a server that does not know the request: nothing is due.
      return undefined;
    }
  }
}

function rangeOf(due: Due): Range {
  const { start, end } = due.range;
  return new Range(start.line, start.character, end.line, end.character);
}
