import {
  type Disposable,
  DocumentLink,
  EventEmitter,
  languages,
  Range,
  type TextDocument,
  type TextDocumentContentProvider,
  Uri,
  ViewColumn,
  window,
  workspace,
} from 'vscode';
import { findPlaces, readContext, renderContext, renderNothing, type SentContext } from './contextMarkdown';
import type { Server } from './server';

const SCHEME = 'dragoman-context';
const ADDRESS = Uri.from({ scheme: SCHEME, path: '/What the Model Read.md' });
const REST_MILLISECONDS = 1000;

/** A page beside the editor that says what the model read for the newest suggestion; it follows while it is visible. */
export class ContextView implements TextDocumentContentProvider, Disposable {
  private readonly changed = new EventEmitter<Uri>();
  // Above the registration, which looks for it.
  readonly onDidChange = this.changed.event;
  private readonly registrations: Disposable[] = [
    workspace.registerTextDocumentContentProvider(SCHEME, this),
    languages.registerDocumentLinkProvider(
      { scheme: SCHEME },
      { provideDocumentLinks: (document) => this.links(document) },
    ),
    window.onDidChangeVisibleTextEditors(() => {
      if (this.isBehind) {
        this.refreshSoon();
      }
    }),
  ];
  private timer: NodeJS.Timeout | undefined;
  private askedAt = 0;
  private isBehind = false;
  private uri: string | undefined;
  private sent: SentContext | undefined;

  constructor(private readonly server: Server) {}

  /** Opens the page for the active file, or for the newest request of all when there was none for that. */
  async open(): Promise<void> {
    const document = window.activeTextEditor?.document;
    if (document && document.uri.scheme !== SCHEME) {
      this.uri = document.uri.toString();
    }
    this.refresh();
    const page = await workspace.openTextDocument(ADDRESS);
    // Who looks at what was read goes on typing.
    const viewColumn = shownEditor()?.viewColumn ?? ViewColumn.Beside;
    await window.showTextDocument(page, { viewColumn, preserveFocus: true });
  }

  /** Hears that a request was answered for a document: brings the page up to date, at most once a second. */
  follow(uri: string): void {
    this.uri = uri;
    this.isBehind = true;
    this.refreshSoon();
  }

  async provideTextDocumentContent(): Promise<string> {
    try {
      this.sent = readContext(await this.ask());
      return this.sent
        ? renderContext(this.sent)
        : renderNothing('The Dragoman server is not running, or is older than this extension.');
    } catch (error) {
      this.sent = undefined;
      return renderNothing(error instanceof Error ? error.message : String(error));
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of [...this.registrations, this.changed]) {
      each.dispose();
    }
  }

  private refreshSoon(): void {
    if (!this.timer && shownEditor()) {
      this.timer = setTimeout(
        () => {
          this.timer = undefined;
          this.refresh();
        },
        Math.max(0, this.askedAt + REST_MILLISECONDS - Date.now()),
      );
    }
  }

  private refresh(): void {
    this.askedAt = Date.now();
    this.isBehind = false;
    this.changed.fire(ADDRESS);
  }

  private async ask(): Promise<unknown> {
    const command = 'dragoman.showContext';
    if (this.uri !== undefined) {
      try {
        return await this.server.execute(command, { uri: this.uri });
      } catch {
        // No model was asked for this file: the newest of all says more than that.
      }
    }
    return this.server.execute(command, {});
  }

  private links(document: TextDocument): DocumentLink[] {
    const sent = this.sent;
    return (sent ? findPlaces(document.getText(), sent) : []).flatMap(({ row, start, end, path, line }) => {
      const file = sent && fileOf(sent.uri, path);
      return file
        ? [new DocumentLink(new Range(row, start, row, end), file.with({ fragment: `L${String(line)}` }))]
        : [];
    });
  }
}

function shownEditor(): (typeof window.visibleTextEditors)[number] | undefined {
  return window.visibleTextEditors.find(({ document }) => document.uri.scheme === SCHEME);
}

/** Where a path is that the server named: the document itself, or a file of the document's workspace folder. */
function fileOf(uri: string, path: string): Uri | undefined {
  const document = Uri.parse(uri);
  if (document.path.endsWith(`/${path}`)) {
    return document;
  }
  const folder = workspace.getWorkspaceFolder(document);
  return folder && Uri.joinPath(folder.uri, path);
}
