import { execFile, spawn } from 'node:child_process';
import { promises as fs } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type Disposable, type ExtensionContext, type LogOutputChannel, ProgressLocation, window } from 'vscode';
import {
  type Bundle,
  environmentAdvice,
  findBundle,
  type Python,
  PYTHON_PROBE,
  readPython,
  reasonOf,
  stepOf,
} from './bundle';
import { pythonNames, pythonOf, resolveProgram } from './discovery';
import { alone } from './lock';
import { isProgram, managedEnvironment, succeeds, thisMachine } from './machine';

const NEWER_PYTHONS = ['python3.14', 'python3.13', 'python3.12', 'python3.11'];

/** Puts the server that came with the extension into a Python environment of its own. */
export class Installer implements Disposable {
  private readonly storage: string;
  private underway: Promise<boolean> | undefined;
  private controller: AbortController | undefined;

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
  ) {
    this.storage = context.globalStorageUri.fsPath;
  }

  /** The version of the server that came with the extension, if one did. */
  async bundledVersion(): Promise<string | undefined> {
    return (await findBundle(this.context.extensionPath))?.version;
  }

  /** Installs or updates, in view of the user. Tells whether the server is there then. */
  install(title: string): Promise<boolean> {
    this.underway ??= this.attempt(title).finally(() => (this.underway = undefined));
    return this.underway;
  }

  dispose(): void {
    this.controller?.abort();
  }

  private async attempt(title: string): Promise<boolean> {
    const controller = new AbortController();
    this.controller = controller;
    try {
      const bundle = await findBundle(this.context.extensionPath);
      if (!bundle) {
        throw new Error(
          'this extension runs from its sources and carries no server. Build it with: make vsix. ' +
            'Or name a server in the setting dragoman.server.command.',
        );
      }
      await fs.mkdir(this.storage, { recursive: true });
      await window.withProgress(
        { location: ProgressLocation.Notification, title, cancellable: true },
        async (progress, token) => {
          token.onCancellationRequested(() => controller.abort());
          await alone(path.join(this.storage, 'install.lock'), controller.signal, () =>
            this.fill(bundle, controller.signal, (message) => progress.report({ message })),
          );
        },
      );
      return true;
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error);
      this.log.error(`The server was not installed: ${sentence}`);
      if (!controller.signal.aborted) {
        void this.complain(`The Dragoman server was not installed: ${sentence}`);
      }
      return false;
    }
  }

  private async fill(bundle: Bundle, signal: AbortSignal, report: (message: string) => void): Promise<void> {
    const environment = managedEnvironment(this.storage);
    const own = pythonOf(environment, process.platform);
    // An attempt that was broken off leaves half an environment; so does a Python that was removed since.
    if (!(await isProgram(own)) || !(await succeeds(own, '-I', '-m', 'pip', '--version'))) {
      report('making a Python environment');
      await this.run(signal, await this.findPython(), ['-I', '-m', 'venv', '--clear', environment]);
    }
    report('getting the packages');
    const options = ['--disable-pip-version-check', '--no-input', '--no-user', '--progress-bar', 'off'];
    await this.run(signal, own, ['-I', '-m', 'pip', 'install', ...options, bundle.requirement], (line) => {
      const step = stepOf(line);
      if (step !== undefined) {
        report(step);
      }
    });
  }

  /** Finds a Python that is new enough and can make environments. */
  private async findPython(): Promise<string> {
    const around = thisMachine(this.storage);
    let unfit: Python | undefined;
    for (const name of [...pythonNames(around.platform), ...NEWER_PYTHONS]) {
      const program = await resolveProgram(name, around);
      const python = program === undefined ? undefined : await probe(program);
      if (python?.makesEnvironments) {
        return python.program;
      }
      unfit ??= python;
    }
    throw new Error(
      unfit ? environmentAdvice(unfit, around.platform) : 'Python 3.11 or newer was not found on the PATH.',
    );
  }

  private async complain(sentence: string): Promise<void> {
    if ((await window.showErrorMessage(sentence, 'Show Log')) !== undefined) {
      this.log.show();
    }
  }

  /** Runs a program and copies what it says into the log; rejects when it fails or the signal is given. */
  private run(
    signal: AbortSignal,
    program: string,
    args: readonly string[],
    heard: (line: string) => void = () => undefined,
  ): Promise<void> {
    signal.throwIfAborted();
    this.log.info(`$ ${[program, ...args].join(' ')}`);
    return new Promise((resolve, reject) => {
      const grouped = process.platform !== 'win32';
      const child = spawn(program, args, {
        cwd: os.homedir(),
        detached: grouped,
        stdio: ['ignore', 'pipe', 'pipe'],
        windowsHide: true,
      });
      // These programs start others, which would outlive them.
      const stop = () => {
        try {
          if (grouped && child.pid !== undefined) {
            process.kill(-child.pid);
          } else {
            child.kill();
          }
        } catch (error) {
          this.log.debug(`It had ended already: ${String(error)}`);
        }
      };
      signal.addEventListener('abort', stop);
      let printed = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.log.info(text.trimEnd());
          text.split('\n').forEach(heard);
          printed += text;
        });
      }
      const finish = (error?: Error) => {
        signal.removeEventListener('abort', stop);
        if (error) {
          reject(error);
        } else {
          resolve();
        }
      };
      child.on('error', finish);
      child.on('close', (code) => {
        const reason = signal.aborted ? 'it was cancelled.' : reasonOf(printed);
        finish(code === 0 ? undefined : new Error(reason ?? `'${program}' ended with ${String(code)}.`));
      });
    });
  }
}

function probe(program: string): Promise<Python | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: 15_000, cwd: os.homedir(), windowsHide: true };
    execFile(program, ['-I', '-c', PYTHON_PROBE], options, (error, printed) => {
      resolve(error ? undefined : readPython(program, printed));
    });
  });
}
