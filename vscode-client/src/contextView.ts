import {
  commands,
  type Disposable,
  EventEmitter,
  TabInputText,
  TabInputWebview,
  Uri,
  ViewColumn,
  window,
  workspace,
  type TextDocumentContentProvider,
} from 'vscode';
import { readContext, renderContext, renderNothing } from './contextMarkdown';
import type { Server } from './server';

const SCHEME = 'dragoman-context';
const NAME = 'What the Model Read.md';
const ADDRESS = Uri.from({ scheme: SCHEME, path: `/${NAME}` });
const REST_MILLISECONDS = 1000;

/** A page beside the editor that says what the model read for the newest suggestion; it follows while it is visible. */
export class ContextView implements TextDocumentContentProvider, Disposable {
  private readonly changed = new EventEmitter<Uri>();
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  private readonly listener = window.tabGroups.onDidChangeTabs(() => {
    if (this.missed) {
      this.follow();
    }
  });
  private timer: NodeJS.Timeout | undefined;
  private shownAt = 0;
  private missed = false;
  private uri: string | undefined;

  constructor(private readonly server: Server) {}

  readonly onDidChange = this.changed.event;

  /** Opens the page for the active file, or for the newest request of all when that had none. */
  async open(): Promise<void> {
    const editor = window.activeTextEditor;
    this.uri = editor?.document.uri.toString();
    this.shownAt = Date.now();
    this.changed.fire(ADDRESS);
    try {
      await commands.executeCommand('markdown.showLockedPreviewToSide', ADDRESS);
    } catch {
      // The editor's Markdown extension is switched off.
      await window.showTextDocument(ADDRESS, { viewColumn: ViewColumn.Beside, preserveFocus: true });
    }
    if (editor) {
      // Who looks at what was read goes on typing.
      await window.showTextDocument(editor.document, { viewColumn: editor.viewColumn ?? ViewColumn.One });
    }
  }

  /** Hears that a request was answered for a document: brings the page up to date, at most once a second. */
  follow(uri = this.uri): void {
    this.uri = uri;
    this.missed = !isVisible();
    if (this.missed || this.timer) {
      return;
    }
    const rest = Math.max(0, this.shownAt + REST_MILLISECONDS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.shownAt = Date.now();
      this.changed.fire(ADDRESS);
    }, rest);
  }

  async provideTextDocumentContent(): Promise<string> {
    try {
      const sent = readContext(await this.ask());
      return sent
        ? renderContext(sent, (path, line) => addressOf(sent.uri, path, line))
        : renderNothing('The Dragoman server is not running, or is older than this extension.');
    } catch (error) {
      return renderNothing(error instanceof Error ? error.message : String(error));
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of [this.registration, this.listener, this.changed]) {
      each.dispose();
    }
  }

  private async ask(): Promise<unknown> {
    const command = 'dragoman.showContext';
    try {
      return await this.server.execute(command, this.uri === undefined ? {} : { uri: this.uri });
    } catch (error) {
      if (this.uri === undefined) {
        throw error;
      }
      return this.server.execute(command, {});
    }
  }
}

/** Tells whether the page is in front in any group of tabs. */
function isVisible(): boolean {
  return window.tabGroups.all.some(({ activeTab }) => {
    const input = activeTab?.input;
    return input instanceof TabInputWebview
      ? input.viewType.includes('markdown') && activeTab?.label.includes(NAME) === true
      : input instanceof TabInputText && input.uri.scheme === SCHEME;
  });
}

/** Where a path is that the server named: the document itself, or a file of the document's workspace folder. */
function addressOf(uri: string, path: string, line: number): string | undefined {
  const document = Uri.parse(uri);
  const folder = workspace.getWorkspaceFolder(document);
  const file = document.path.endsWith(`/${path}`) ? document : folder && Uri.joinPath(folder.uri, path);
  return file?.with({ fragment: line > 0 ? `L${String(line)}` : '' }).toString();
}
