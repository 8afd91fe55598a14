import { extensions, type Uri, window, workspace } from 'vscode';

interface Repository {
  readonly state: Record<'indexChanges' | 'workingTreeChanges', readonly { readonly uri: Uri }[]>;
  readonly inputBox: { value: string };
  readonly ui: { readonly selected: boolean };
}

interface GitExtension {
  getAPI(version: 1): { readonly repositories: readonly Repository[] };
}

/** Puts a commit message where commits are made: the field of the git view, or else a document. */
export async function showCommitMessage(message: string): Promise<void> {
  const found = await repositories();
  const repository = found.find((one) => one.ui.selected) ?? found[0];
  if (repository) {
    repository.inputBox.value = message;
    return;
  }
  await showText(message, 'git-commit');
}

/** Opens a text in an editor of its own, to be copied or changed. */
export async function showText(content: string, language: string): Promise<void> {
  await window.showTextDocument(await workspace.openTextDocument({ content, language }));
}

/** The files with changes, staged or not. */
export async function changedFiles(): Promise<Uri[]> {
  const changes = (await repositories()).flatMap(({ state }) => [...state.indexChanges, ...state.workingTreeChanges]);
  return [...new Map(changes.map(({ uri }) => [uri.toString(), uri])).values()];
}

async function repositories(): Promise<readonly Repository[]> {
  const git = extensions.getExtension<GitExtension>('vscode.git');
  try {
    return (await git?.activate())?.getAPI(1).repositories ?? [];
  } catch {
    // It is switched off.
    return [];
  }
}
