import { ConfigurationTarget, type ExtensionContext, commands, window, workspace } from 'vscode';
import { Assistance } from './agents/assistance';
import { ContextView } from './contextView';
import { DiagnosticsForwarder } from './diagnostics';
import { Installer } from './install';
import { showMenu, toggleCompletions, toggleLanguage } from './menu';
import { NextEdits } from './nextEdit';
import { Server } from './server';
import { faceOf, StatusBar } from './statusBar';
import { runInTerminal } from './terminal';
import { isNewer, objectToVersion } from './versions';

const DECLINED = 'declinedInstall';

let server: Server | undefined;

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('Dragoman', { log: true });
  const statusBar = new StatusBar();
  const installer = new Installer(context, log);
  const own = new Server(context, log, {
    changed: () => {
      statusBar.show(own);
      assistance.modelsMayHaveChanged();
      if (own.state !== 'running') {
        assistance.runs.end();
      }
    },
    runEvent: (params) => {
      assistance.runs.receive(params);
    },
    commandChosen: (command, argument, run) => assistance.runs.watch({ command, argument }, run),
    answered: (uri) => {
      contextView.follow(uri);
    },
    serverMissing: () => {
      if (context.globalState.get(DECLINED) !== true) {
        void offerInstall();
      }
    },
    serverStarted: (version) => {
      diagnostics.restart();
      assistance.started();
      void judge(version);
    },
    settingWrong: (sentence) => void complain(sentence, 'Open Settings', 'Choose…'),
    serverFailed: (sentence) => void complain(sentence, 'Restart', 'Show Log', 'Run Doctor'),
  });
  server = own;
  const nextEdits = new NextEdits(own);
  const diagnostics = new DiagnosticsForwarder(own);
  const contextView = new ContextView(own);
  const assistance = new Assistance(context.extensionUri, own);

  const actions = {
    ...assistance.actions,
    nextEdit: () => nextEdits.go(),
    dismissNextEdit: () => nextEdits.dismiss(),
    showContext: () => contextView.open(),
    menu: () => showMenu(own, faceOf(own)),
    toggle: toggleCompletions,
    toggleLanguage,
    pull: async () => {
      try {
        if (!(await own.run('dragoman.pullModel', {})) && own.launcher) {
          await runInTerminal('Pull model', own.launcher, ['models', 'pull']);
        }
      } catch (error) {
        // The server's own sentence; without this the editor would speak of a failed command.
        await complain(error instanceof Error ? error.message : String(error), 'Show Log', 'Run Doctor');
      }
    },
    restart: () => own.restart(),
    log: () => log.show(),
    doctor: async () => {
      if (own.launcher) {
        await runInTerminal('Doctor', own.launcher, ['doctor']);
      } else {
        await offerInstall();
      }
    },
    settings: () => commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
    install,
    choose: chooseServer,
  };
  for (const [name, action] of Object.entries(actions)) {
    context.subscriptions.push(commands.registerCommand(`dragoman.client.${name}`, action));
  }
  const byButton: Record<string, () => unknown> = {
    Install: actions.install,
    Update: actions.install,
    'Choose…': actions.choose,
    'Open Settings': () => commands.executeCommand('workbench.action.openSettings', 'dragoman.server.command'),
    Restart: actions.restart,
    'Show Log': actions.log,
    'Run Doctor': actions.doctor,
  };

  let updated = false;

  /** Updates a server that is older than the one that came with the extension, or complains about its age. */
  async function judge(version: string | undefined): Promise<void> {
    const bundled = await installer.bundledVersion();
    // Only the environment that this extension made is its own to change, and it tries so once.
    const ours = own.launcher?.managed === true && bundled !== undefined && isNewer(bundled, version ?? bundled);
    if (ours && !updated) {
      updated = true;
      await install();
      return;
    }
    const objection = objectToVersion(version);
    if (objection !== undefined) {
      await complain(objection, ours ? 'Update' : 'Choose…');
    }
  }

  async function install(): Promise<void> {
    const update = own.launcher?.managed === true;
    if (update) {
      // A running program's files cannot be replaced everywhere.
      await own.stop();
    }
    const done = await installer.install(`${update ? 'Updating' : 'Installing'} the Dragoman server`);
    if (done || update) {
      await own.restart();
    }
  }

  async function complain(sentence: string, ...buttons: string[]): Promise<void> {
    const answer = await window.showErrorMessage(sentence, ...buttons);
    await byButton[answer ?? '']?.();
  }

  async function offerInstall(): Promise<void> {
    const answer = await window.showWarningMessage(
      'The Dragoman server was not found on this machine. Install puts it into a Python environment of its own.',
      'Install',
      'Choose…',
      'Not Now',
    );
    await context.globalState.update(DECLINED, answer === 'Not Now');
    await byButton[answer ?? '']?.();
  }

  context.subscriptions.push(
    log,
    statusBar,
    installer,
    nextEdits,
    diagnostics,
    contextView,
    assistance,
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('dragoman.server')) {
        void own.restart();
      } else if (event.affectsConfiguration('dragoman')) {
        void own.sendSettings();
      }
      if (event.affectsConfiguration('editor.inlineSuggest')) {
        statusBar.show(own);
      }
    }),
    // What an untrusted workspace could not choose, the trusted one may: look for the server again too.
    workspace.onDidGrantWorkspaceTrust(() => void own.restart()),
    window.onDidChangeActiveTextEditor(() => statusBar.show(own)),
  );
  statusBar.show(own);
  void own.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
  server = undefined;
}

async function chooseServer(): Promise<void> {
  const [file] =
    (await window.showOpenDialog({ title: 'The dragoman program', openLabel: 'Use', canSelectMany: false })) ?? [];
  if (file) {
    await workspace.getConfiguration('dragoman').update('server.command', [file.fsPath], ConfigurationTarget.Global);
  }
}
