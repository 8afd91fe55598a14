import {
  CodeAction,
  CodeActionKind,
  type CodeActionProvider,
  type Range,
  type TextDocument,
  type TextEditor,
  window,
  workspace,
} from 'vscode';
import { changedFiles } from './git';
import { lineNumbers } from './protocol';
import type { Runs } from './runs';

const REVIEWED_FILES = 20;

/** Offers an edit with an instruction among the actions for a selection; the server cannot ask for one. */
export class EditAction implements CodeActionProvider {
  provideCodeActions(_document: TextDocument, range: Range): CodeAction[] {
    if (range.isEmpty) {
      return [];
    }
    const action = new CodeAction('Edit with an instruction…', CodeActionKind.RefactorRewrite);
    action.command = { title: action.title, command: 'dragoman.client.edit' };
    return [action];
  }
}

/** What a person has agents do with the file that is open, by commands, menus and keys. */
export class AgentCommands {
  constructor(private readonly runs: Runs) {}

  /** Asks what is to be changed in the selected lines, or in the line of the cursor. */
  async edit(): Promise<void> {
    const editor = activeEditor();
    if (!editor) {
      return;
    }
    // Now: what the title names is what will be changed, wherever the cursor goes meanwhile.
    const place = selected(editor);
    const instruction = await window.showInputBox({
      title: `Dragoman: Edit ${editor.selection.isSingleLine ? 'line' : 'lines'} ${lineNumbers(editor.selection)}`,
      placeHolder: 'What is to be changed?',
      prompt: 'The change is shown before anything is written.',
    });
    if (instruction?.trim()) {
      await this.start('dragoman.edit', { ...place, instruction });
    }
  }

  explain = () => this.onSelection('dragoman.explain');
  fix = () => this.onSelection('dragoman.fix');
  document = () => this.onSelection('dragoman.document');
  test = () => this.onSelection('dragoman.test');

  async review(): Promise<void> {
    const editor = activeEditor();
    if (editor) {
      await this.start('dragoman.review', { uri: editor.document.uri.toString() });
    }
  }

  /** Reviews what is changed in every file that git knows of, the active one first. */
  async reviewChanges(): Promise<void> {
    const documents = await changedDocuments();
    if (documents.length === 0) {
      void window.showInformationMessage('Nothing is changed in this workspace, as far as git tells.');
    }
    for (const document of documents) {
      await this.start('dragoman.reviewChanges', { uri: document.uri.toString() });
    }
  }

  commitMessage = () => this.start('dragoman.commitMessage', {});
  pullRequest = () => this.start('dragoman.pullRequest', {});

  private async onSelection(command: string): Promise<void> {
    const editor = activeEditor();
    if (editor) {
      await this.start(command, selected(editor));
    }
  }

  private async start(command: string, argument: object): Promise<void> {
    try {
      await this.runs.execute(command, argument);
    } catch (error) {
      void window.showErrorMessage(error instanceof Error ? error.message : String(error));
    }
  }
}

function activeEditor(): TextEditor | undefined {
  const editor = window.activeTextEditor;
  if (!editor) {
    void window.showInformationMessage('Open a file first.');
  }
  return editor;
}

function selected({ document, selection }: TextEditor): object {
  const range = selection.isEmpty ? document.lineAt(selection.active.line).range : selection;
  const { start, end } = range;
  return {
    uri: document.uri.toString(),
    range: {
      start: { line: start.line, character: start.character },
      end: { line: end.line, character: end.character },
    },
  };
}

async function changedDocuments(): Promise<TextDocument[]> {
  const uris = await changedFiles();
  const active = window.activeTextEditor?.document.uri.toString();
  const ordered = uris.sort((one, other) => Number(other.toString() === active) - Number(one.toString() === active));
  const opened: TextDocument[] = [];
  for (const uri of ordered.slice(0, REVIEWED_FILES)) {
    try {
      opened.push(await workspace.openTextDocument(uri));
    } catch {
      // Deleted, or no text.
    }
  }
  return opened;
}
