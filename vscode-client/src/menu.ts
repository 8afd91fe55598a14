import { ConfigurationTarget, QuickPickItemKind, type QuickPickItem, commands, window, workspace } from 'vscode';
import type { Server } from './server';

interface Choice extends QuickPickItem {
  readonly command?: string;
}

/** Shows what can be done, with the state on top. */
export async function showMenu(server: Server): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  const on = workspace.getConfiguration('dragoman').get<boolean>('completion.enabled') !== false;
  const running = server.state === 'running';
  const choices: Choice[] = [];
  if (server.state === 'missing') {
    choices.push(
      choice('cloud-download', 'Install the server…', 'dragoman.client.install'),
      choice('folder-opened', 'Choose where the server is…', 'dragoman.client.choose'),
      { label: '', kind: QuickPickItemKind.Separator },
    );
  }
  choices.push(
    choice(
      on ? 'circle-slash' : 'sparkle',
      on ? 'Switch completions off' : 'Switch completions on',
      'dragoman.client.toggle',
    ),
  );
  if (language) {
    const off = excludedLanguages().includes(language);
    const label = off ? `Switch completions on for ${language}` : `Switch completions off for ${language}`;
    choices.push(choice(off ? 'sparkle' : 'circle-slash', label, 'dragoman.client.toggleLanguage'));
  }
  if (server.launcher) {
    choices.push(choice('cloud-download', 'Pull the model', 'dragoman.client.pull'));
  }
  choices.push({ label: '', kind: QuickPickItemKind.Separator });
  choices.push(choice('output', 'Show the log', 'dragoman.client.log'));
  if (server.launcher) {
    choices.push(choice('pulse', 'Run the doctor in a terminal', 'dragoman.client.doctor'));
  }
  choices.push(
    choice('debug-restart', running ? 'Restart the server' : 'Start the server', 'dragoman.client.restart'),
    choice('gear', 'Open the settings', 'dragoman.client.settings'),
  );
  const placeHolder = server.status?.sentence;
  const picked = await window.showQuickPick(choices, { title: 'Dragoman', ...(placeHolder ? { placeHolder } : {}) });
  if (picked?.command) {
    await commands.executeCommand(picked.command);
  }
}

/** Switches completions on or off for this user. */
export async function toggleCompletions(): Promise<void> {
  const configuration = workspace.getConfiguration('dragoman');
  const on = configuration.get<boolean>('completion.enabled') !== false;
  await configuration.update('completion.enabled', !on, ConfigurationTarget.Global);
}

/** Switches completions on or off for the language of the active editor. */
export async function toggleLanguage(): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  if (!language) {
    void window.showInformationMessage('Open a file first: this switches completions for its language.');
    return;
  }
  const excluded = excludedLanguages();
  const next = excluded.includes(language) ? excluded.filter((name) => name !== language) : [...excluded, language];
  await workspace.getConfiguration('dragoman').update('completion.languages.exclude', next, ConfigurationTarget.Global);
}

function excludedLanguages(): readonly string[] {
  return workspace.getConfiguration('dragoman').get<string[]>('completion.languages.exclude') ?? [];
}

function choice(icon: string, label: string, command: string): Choice {
  return { label: `$(${icon}) ${label}`, command };
}
