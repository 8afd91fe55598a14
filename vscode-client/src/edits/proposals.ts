import { commands, type Disposable, EventEmitter, type TextDocumentContentProvider, Uri, workspace } from 'vscode';
import { type OpenHunk, withHunks } from './hunks';

const SCHEME = 'dragoman-proposal';

/** Documents as they would be with every hunk made, for the editor's own view of differences. */
export class Proposals implements TextDocumentContentProvider, Disposable {
  private readonly changed = new EventEmitter<Uri>();
  readonly onDidChange = this.changed.event;
  private readonly registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  private readonly opened = new Set<string>();

  constructor(private readonly hunksOf: (uri: string) => OpenHunk[]) {}

  async open(uri: Uri): Promise<void> {
    const proposal = Uri.from({ scheme: SCHEME, path: uri.path, query: uri.toString() });
    this.opened.add(proposal.toString());
    this.changed.fire(proposal);
    await commands.executeCommand('vscode.diff', uri, proposal, `${workspace.asRelativePath(uri)} ↔ proposed`);
  }

  async provideTextDocumentContent(proposal: Uri): Promise<string> {
    const uri = Uri.parse(proposal.query);
    const document = await workspace.openTextDocument(uri);
    return withHunks(document.getText(), this.hunksOf(uri.toString()));
  }

  refresh(): void {
    for (const proposal of this.opened) {
      this.changed.fire(Uri.parse(proposal));
    }
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}
