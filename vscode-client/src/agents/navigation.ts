import { commands, type Location, Position, type SymbolInformation, type TextDocument, Uri, workspace } from 'vscode';

/** A decorator or a comment may stand between the line that is named and the one with the name. */
const LINES_BELOW = 5;

/** Asks the editor's language servers where a name is used that stands at or just below a line. */
export async function findReferences(params: unknown): Promise<{ uri: string; line: number }[]> {
  const { uri, line, name } = params as { uri: string; line: number; name: string };
  const document = await workspace.openTextDocument(Uri.parse(uri, true));
  const place = findWord(document, line, name);
  const found =
    place &&
    (await commands.executeCommand<Location[] | undefined>('vscode.executeReferenceProvider', document.uri, place));
  return (found ?? []).map(placeOf);
}

/** Asks the editor's language servers where something of exactly this name is defined; they themselves answer with what is like it. */
export async function findSymbols(params: unknown): Promise<{ uri: string; line: number }[]> {
  const { name } = params as { name: string };
  const found = await commands.executeCommand<SymbolInformation[] | undefined>(
    'vscode.executeWorkspaceSymbolProvider',
    name,
  );
  // Some write a function's parameters behind its name.
  const exact = (found ?? []).filter((one) => one.name === name || one.name.startsWith(`${name}(`));
  return exact.map((one) => placeOf(one.location));
}

function placeOf({ uri, range }: Location): { uri: string; line: number } {
  return { uri: uri.toString(), line: range.start.line };
}

function findWord(document: TextDocument, first: number, name: string): Position | undefined {
  const word = new RegExp(`(?<![\\w$])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w$])`);
  for (let line = first; line < Math.min(first + LINES_BELOW, document.lineCount); line += 1) {
    const character = document.lineAt(line).text.search(word);
    if (character >= 0) {
      return new Position(line, character);
    }
  }
  return undefined;
}
