import { spawn } from 'node:child_process';
import { promises as fs } from 'node:fs';
import * as os from 'node:os';
import { type CancellationToken, type LogOutputChannel, ProgressLocation, window } from 'vscode';
import { pythonNames, pythonOf, resolveProgram } from './discovery';
import { managedEnvironment, succeeds, thisMachine } from './machine';
import { OLDEST_SERVER } from './versions';

const PACKAGE = `dragoman[embedded]>=${OLDEST_SERVER}`;
const RIGHT_PYTHON = 'import sys; sys.exit(sys.version_info < (3, 11))';

/** Puts the server into a Python environment of the extension's own, in view of the user. Tells whether it is there then. */
export async function installServer(storage: string, log: LogOutputChannel): Promise<boolean> {
  const python = await findPython(storage);
  if (!python) {
    void window.showErrorMessage('Dragoman needs Python 3.11 or newer, and none was found on the PATH.');
    return false;
  }
  const environment = managedEnvironment(storage);
  try {
    return await window.withProgress(
      { location: ProgressLocation.Notification, title: 'Installing the Dragoman server', cancellable: true },
      async (progress, token) => {
        await fs.mkdir(storage, { recursive: true });
        progress.report({ message: 'making a Python environment' });
        await run(log, token, python, ['-m', 'venv', environment]);
        progress.report({ message: 'getting the packages' });
        const own = pythonOf(environment, process.platform);
        await run(log, token, own, ['-m', 'pip', 'install', '--upgrade', '--disable-pip-version-check', PACKAGE]);
        return true;
      },
    );
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    log.error(`The server was not installed: ${sentence}`);
    const answer = await window.showErrorMessage(`The Dragoman server was not installed: ${sentence}`, 'Show Log');
    if (answer) {
      log.show();
    }
    return false;
  }
}

async function findPython(storage: string): Promise<string | undefined> {
  const around = thisMachine(storage);
  const newer = ['python3.14', 'python3.13', 'python3.12', 'python3.11'];
  for (const name of [...pythonNames(around.platform), ...newer]) {
    const python = await resolveProgram(name, around);
    if (python && (await succeeds(python, '-c', RIGHT_PYTHON))) {
      return python;
    }
  }
  return undefined;
}

/** Runs a program and copies what it says into the log; rejects when it fails or is cancelled. */
function run(log: LogOutputChannel, token: CancellationToken, program: string, args: readonly string[]): Promise<void> {
  log.info(`$ ${[program, ...args].join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: os.homedir(), stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    const cancelled = token.onCancellationRequested(() => child.kill());
    let last = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log.info(text.trimEnd());
        last = text.trim().split('\n').pop() || last;
      });
    }
    child.on('error', (error) => {
      cancelled.dispose();
      reject(error);
    });
    child.on('close', (code) => {
      cancelled.dispose();
      if (code === 0) {
        resolve();
      } else {
        const reason = last || `'${program}' ended with ${String(code)}.`;
        reject(new Error(token.isCancellationRequested ? 'cancelled.' : reason));
      }
    });
  });
}
