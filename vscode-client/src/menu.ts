import { ConfigurationTarget, QuickPickItemKind, type QuickPickItem, commands, window, workspace } from 'vscode';
import type { Server } from './server';
import type { Face } from './status';

interface Choice extends QuickPickItem {
  readonly command?: string;
}

const TRIGGER = 'editor.action.inlineSuggest.trigger';

/** Shows the state and what can be done about it, the likeliest first. */
export async function showMenu(server: Server, face: Face): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  const on = workspace.getConfiguration('dragoman').get<boolean>('completion.enabled') !== false;
  const off = language !== undefined && excludedLanguages().includes(language);
  const pull = choice('cloud-download', 'Get the embedded model', 'pull');
  const ask = { label: '$(lightbulb) Suggest something here', description: 'Alt+\\', command: TRIGGER };
  const needsModel = server.status?.state === 'no_model';
  const line: Choice = { label: '', kind: QuickPickItemKind.Separator };
  const choices: Choice[] = [
    { label: face.headline, detail: face.thoughts[0] ?? '', command: 'dragoman.client.log' },
    // A line of the list is cut off at its end: each thought has one of its own.
    ...face.thoughts.slice(1).map((thought) => {
      const command = thought.includes('dragoman doctor') ? 'dragoman.client.doctor' : 'dragoman.client.log';
      return { label: `$(info) ${thought.replaceAll('`', '')}`, command };
    }),
    line,
    ...(server.state === 'missing'
      ? [
          choice('cloud-download', 'Install the server…', 'install'),
          choice('folder-opened', 'Choose where the server is…', 'choose'),
        ]
      : []),
    ...(needsModel ? [pull] : []),
    ...(server.state === 'running' && on && language ? [ask] : []),
    choice(on ? 'circle-slash' : 'sparkle', `Switch completions ${on ? 'off' : 'on'}`, 'toggle'),
    ...(language
      ? [
          choice(
            off ? 'sparkle' : 'circle-slash',
            `Switch completions ${off ? 'on' : 'off'} for ${language}`,
            'toggleLanguage',
          ),
        ]
      : []),
    ...(server.launcher && !needsModel ? [pull] : []),
    line,
    ...(server.state === 'running' ? [choice('comment-discussion', 'Open the chat', 'chat')] : []),
    ...(server.state === 'running' ? [choice('book', 'Show what the model read', 'showContext')] : []),
    choice('output', 'Show the log', 'log'),
    ...(server.launcher ? [choice('pulse', 'Run the doctor in a terminal', 'doctor')] : []),
    choice('debug-restart', `${server.state === 'running' ? 'Restart' : 'Start'} the server`, 'restart'),
    choice('gear', 'Open the settings', 'settings'),
  ];
  const picked = await window.showQuickPick(choices, { title: 'Dragoman', placeHolder: 'What to do?' });
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
  return { label: `$(${icon}) ${label}`, command: `dragoman.client.${command}` };
}
