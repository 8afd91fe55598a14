import {
  type Disposable,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
  workspace,
} from 'vscode';
import type { Server } from './server';
import { toMarkdown } from './markdown';
import { describe, type Face } from './status';

/** The item in the status bar: the model and its state; the tooltip says why there is no suggestion. */
export class StatusBar implements Disposable {
  private readonly item: StatusBarItem;

  constructor() {
    this.item = window.createStatusBarItem('dragoman.status', StatusBarAlignment.Right, 100);
    this.item.name = 'Dragoman';
    this.item.command = 'dragoman.client.menu';
    this.item.show();
  }

  show(server: Server): void {
    const face = faceOf(server);
    this.item.text = face.text;
    this.item.tooltip = tooltip(face);
    this.item.accessibilityInformation = { label: `Dragoman: ${face.headline}. ${face.sentence}`, role: 'button' };
    this.item.backgroundColor =
      face.severity === 'none' ? undefined : new ThemeColor(`statusBarItem.${face.severity}Background`);
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** What is to be shown of a server now. */
export function faceOf(server: Server): Face {
  return describe(server.state, server.status, server.latency.median, hiddenByEditor());
}

function tooltip(face: Face): MarkdownString {
  const markdown = new MarkdownString('**Dragoman** · ');
  markdown.appendText(face.headline);
  if (face.sentence) {
    markdown.appendMarkdown(`\n\n${toMarkdown(face.sentence)}`);
  }
  if (face.facts.length > 0) {
    markdown.appendMarkdown('\n\n');
    for (const [label, value] of face.facts) {
      markdown.appendMarkdown(`- ${label}: `).appendText(value).appendMarkdown('\n');
    }
  }
  return markdown;
}

/** Why the editor shows no ghost text whatever the server says; nothing else can know it. */
function hiddenByEditor(): string | undefined {
  const shown = workspace
    .getConfiguration('editor', window.activeTextEditor?.document)
    .get<boolean>('inlineSuggest.enabled');
  return shown === false ? 'The editor hides ghost text: its setting editor.inlineSuggest.enabled is off.' : undefined;
}
