import * as os from 'node:os';
import { type CancellationToken, type ExtensionContext, type LogOutputChannel, workspace } from 'vscode';
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type FeatureState,
  LanguageClient,
  type LanguageClientOptions,
  ProgressType,
  RevealOutputChannelOn,
  State,
  type StaticFeature,
} from 'vscode-languageclient/node';
import { createInterface } from 'node:readline';
import { findReferences, findSymbols } from './agents/navigation';
import { CrashCounter } from './crashes';
import { ConfiguredCommandError, findServer, type Launcher } from './discovery';
import { excludesOf } from './excludes';
import { Latency } from './latency';
import { readLogLine } from './logs';
import { thisMachine } from './machine';
import { collectSettings } from './settings';
import { type ClientState, readStatus, type ServerStatus } from './status';

/** What the server's life asks of the user interface. */
export interface Listener {
  changed(): void;
  /** A request for suggestions was answered for this document. */
  answered(uri: string): void;
  /** Something happened in a run of an agent. */
  runEvent(params: unknown): void;
  /** A command of the server is run that the user chose in a menu of the editor. */
  commandChosen(command: string, argument: unknown, run: () => PromiseLike<unknown>): Promise<unknown>;
  serverMissing(): void;
  serverStarted(version: string | undefined): void;
  settingWrong(sentence: string): void;
  serverFailed(sentence: string): void;
}

/** The server's life: found, started, started again, ended. */
export class Server {
  state: ClientState = 'starting';
  status: ServerStatus | undefined;
  launcher: Launcher | undefined;
  latency = new Latency();

  private client: LanguageClient | undefined;
  private streams = 0;
  private starting: Promise<void> | undefined;
  private readonly crashes = new CrashCounter();
  private abandonWait: (() => void) | undefined;
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
    private readonly listener: Listener,
  ) {}

  /** Starts the server, after ending a running one. Calls queue up. */
  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.end();
      this.crashes.forget();
      await this.begin();
    });
  }

  stop(): Promise<void> {
    return this.enqueue(() => this.end());
  }

  /** Runs a command of the server if it has it; tells whether it had. */
  async run(command: string, argument: object): Promise<boolean> {
    return (await this.execute(command, argument)) !== undefined;
  }

  /** Runs a command of the server and returns its answer; undefined when no server that has it runs. */
  async execute(command: string, argument: object): Promise<unknown> {
    const client = this.client;
    const known = client?.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
    if (!client || this.state !== 'running' || !known.includes(command)) {
      return undefined;
    }
    return client.sendRequest('workspace/executeCommand', { command, arguments: [argument] });
  }

  /** Sends a request of our own; undefined when no server runs. */
  async request(method: string, params: object, token?: CancellationToken): Promise<unknown> {
    return this.state === 'running' ? this.client?.sendRequest(method, params, token) : undefined;
  }

  /** Sends a request whose answer comes in pieces; throws when no server runs. */
  async stream(
    method: string,
    params: object,
    take: (piece: unknown) => void,
    token: CancellationToken,
  ): Promise<void> {
    const client = this.client;
    if (!client || this.state !== 'running') {
      throw new Error('The Dragoman server is not running.');
    }
    this.streams += 1;
    const partialResultToken = `dragoman-stream-${String(this.streams)}`;
    const listening = client.onProgress(new ProgressType<unknown>(), partialResultToken, take);
    try {
      await client.sendRequest(method, { ...params, partialResultToken }, token);
    } finally {
      listening.dispose();
    }
  }

  /** Sends a notification of our own, if a server runs. */
  async notify(method: string, params: object): Promise<void> {
    if (this.state === 'running') {
      await this.client?.sendNotification(method, params);
    }
  }

  /** Tells the server the settings as they are now. */
  async sendSettings(): Promise<void> {
    if (this.state === 'running') {
      await this.client?.sendNotification('workspace/didChangeConfiguration', {
        settings: { dragoman: this.settings() },
      });
    }
  }

  private enqueue(task: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(task, task);
    return this.queue;
  }

  private async begin(): Promise<void> {
    this.become('starting');
    try {
      this.launcher = await findServer(thisMachine(this.context.globalStorageUri.fsPath));
    } catch (error) {
      if (!(error instanceof ConfiguredCommandError)) {
        throw error;
      }
      this.become('failed');
      this.listener.settingWrong(error.message);
      return;
    }
    if (!this.launcher) {
      this.become('missing');
      this.listener.serverMissing();
      return;
    }
    this.log.info(`Starting ${this.launcher.command.join(' ')} (found by ${this.launcher.source})`);
    const client = this.build(this.launcher);
    this.client = client;
    this.starting = client.start();
    try {
      await this.starting;
    } catch (error) {
      // A server that ends while it starts is counted by `closed`; here is what never came to run.
      this.log.error(`The server did not start: ${String(error)}`);
      if (this.client === client && this.state === 'starting') {
        this.become('failed');
        this.listener.serverFailed(`The Dragoman server could not be started: ${sentenceOf(error)}`);
      }
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.abandonWait?.();
    if (client) {
      // A client that is still starting refuses to stop.
      await this.starting?.catch(() => undefined);
      await client.dispose().catch((error: unknown) => this.log.debug(`While ending the server: ${String(error)}`));
    }
    this.status = undefined;
    this.latency = new Latency();
    this.become('stopped');
  }

  private build(launcher: Launcher): LanguageClient {
    const [program, ...args] = launcher.command;
    const more = workspace.getConfiguration('dragoman').get<string[]>('server.arguments') ?? [];
    const client: LanguageClient = new QuietClient(
      'dragoman',
      'Dragoman',
      { command: program, args: [...args, 'lsp', '--stdio', ...more], options: { cwd: os.homedir() } },
      this.options(() => client),
    );
    client.registerFeature(statusFeature);
    client.onNotification('dragoman/status', (params: unknown) => {
      this.status = readStatus(params);
      this.listener.changed();
    });
    client.onNotification('dragoman/runEvent', (params: unknown) => this.listener.runEvent(params));
    client.onRequest('dragoman/references', (params: unknown) => findReferences(params));
    client.onRequest('dragoman/symbols', (params: unknown) => findSymbols(params));
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running && this.client === client) {
        this.become('running');
        this.listener.serverStarted(client.initializeResult?.serverInfo?.version);
      }
    });
    return client;
  }

  private options(owner: () => LanguageClient): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: () => ({
        ...this.settings(),
        trusted: workspace.isTrusted,
        excludes: hiddenFiles(),
      }),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(owner()),
      },
      middleware: {
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const asked = performance.now();
          const answer = await next(document, position, context, token);
          const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
          if (items.length > 0 && !token.isCancellationRequested) {
            this.latency.add(performance.now() - asked);
            this.listener.changed();
          }
          this.listener.answered(document.uri.toString());
          return answer;
        },
        executeCommand: (command, args: readonly unknown[], next) =>
          this.listener.commandChosen(command, args[0], async () => next(command, [...args])),
        handleWorkDoneProgress: (token, params, next) => {
          // Runs are shown by what they tell of themselves, with a button that ends them; downloads count.
          if (!('cancellable' in params && params.cancellable === true && params.percentage === undefined)) {
            next(token, params);
          }
        },
        workspace: {
          // Both would send the defaults too; `sendSettings` sends what was set.
          configuration: (params) => params.items.map((item) => (item.section === 'dragoman' ? this.settings() : null)),
          didChangeConfiguration: () => Promise.resolve(),
        },
      },
      stdioOptions: {
        stdout: (input) => lines(input, (line) => this.log.info(line)),
        stderr: (input) =>
          lines(input, (line) => {
            const { level, text } = readLogLine(line);
            this.log[level](text);
          }),
      },
    };
  }

  /** Decides what follows when the connection ended that nobody asked to end. */
  private async closed(client: LanguageClient): Promise<CloseHandlerResult> {
    if (this.client !== client) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.status = undefined;
    const verdict = this.crashes.record(Date.now());
    if (!verdict.restart) {
      const sentence = `The Dragoman server ended ${String(verdict.crashes)} times within three minutes and is not started again.`;
      this.client = undefined;
      this.become('failed');
      this.listener.serverFailed(sentence);
      return { action: CloseAction.DoNotRestart, message: sentence, handled: true };
    }
    this.become('restarting');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, verdict.waitMilliseconds);
      this.abandonWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.client !== client) {
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    return {
      action: CloseAction.Restart,
      message: 'The server ended unexpectedly and is started again.',
      handled: true,
    };
  }

  private settings(): Record<string, unknown> {
    const configuration = workspace.getConfiguration('dragoman');
    return collectSettings(contributedKeys(this.context), configuration);
  }

  private become(state: ClientState): void {
    this.state = state;
    this.listener.changed();
  }
}

/** The library pops up its own words when a server ends while starting; ours are in `Listener`, its go to the log. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    // A stack of the library's tells a reader of the log nothing.
    super.error(data === undefined ? message : `${message} ${sentenceOf(data)}`, undefined, false);
  }
}

/** Tells the server that this client shows its status and what happens in runs, and asks other servers for it. */
const statusFeature: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const experimental = (capabilities.experimental ?? {}) as Record<string, unknown>;
    capabilities.experimental = {
      ...experimental,
      dragoman: { status: true, runEvents: true, references: true, symbols: true },
    };
  },
  initialize: () => undefined,
  getState: (): FeatureState => ({ kind: 'static' }),
  clear: () => undefined,
};

/** What the editor hides in its explorer and its search. */
function hiddenFiles(): string[] {
  const configuration = workspace.getConfiguration();
  return excludesOf(configuration.get('files.exclude'), configuration.get('search.exclude'));
}

/** The keys below `dragoman.` that package.json declares. */
function contributedKeys(context: ExtensionContext): string[] {
  const manifest = context.extension.packageJSON as {
    contributes: { configuration: readonly { properties: Record<string, unknown> }[] };
  };
  return manifest.contributes.configuration
    .flatMap((section) => Object.keys(section.properties))
    .map((key) => key.replace(/^dragoman\./, ''));
}

function lines(input: NodeJS.ReadableStream, use: (line: string) => void): void {
  createInterface({ input, crlfDelay: Infinity, terminal: false, historySize: 0 }).on('line', use);
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
