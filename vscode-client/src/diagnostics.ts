import { type Disposable, languages, type Uri, window, workspace } from 'vscode';
import { reportsOf } from './reports';
import type { Server } from './server';

const PAUSE_MILLISECONDS = 500;

/** Tells the server what other extensions report in the documents that are on screen. */
export class DiagnosticsForwarder implements Disposable {
  private readonly listeners: Disposable[];
  private readonly changed = new Map<string, Uri>();
  private readonly sent = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly server: Server) {
    this.listeners = [
      languages.onDidChangeDiagnostics(({ uris }) => {
        this.tellLater(uris);
      }),
      window.onDidChangeVisibleTextEditors((editors) => {
        this.tellLater(editors.map((editor) => editor.document.uri));
      }),
      // The server forgets it too.
      workspace.onDidCloseTextDocument((document) => this.sent.delete(document.uri.toString())),
    ];
  }

  /** Tells everything again, to a server that has just started. */
  restart(): void {
    this.sent.clear();
    this.tellLater(window.visibleTextEditors.map((editor) => editor.document.uri));
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of this.listeners) {
      each.dispose();
    }
  }

  private tellLater(uris: readonly Uri[]): void {
    for (const uri of uris) {
      this.changed.set(uri.toString(), uri);
    }
    // Not put off by what comes meanwhile: a server that reports all the time would never be heard.
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.tell();
    }, PAUSE_MILLISECONDS);
  }

  private tell(): void {
    const visible = new Set(window.visibleTextEditors.map((editor) => editor.document.uri.toString()));
    for (const [name, uri] of this.changed) {
      if (!visible.has(name)) {
        continue;
      }
      const diagnostics = reportsOf(languages.getDiagnostics(uri));
      const text = JSON.stringify(diagnostics);
      if (text !== (this.sent.get(name) ?? '[]')) {
        this.sent.set(name, text);
        void this.server.notify('dragoman/diagnostics', { uri: name, diagnostics });
      }
    }
    this.changed.clear();
  }
}
