import { randomBytes } from 'node:crypto';
import {
  commands,
  type Disposable,
  env,
  Selection,
  type SymbolInformation,
  type TextEditor,
  Uri,
  type WebviewView,
  type WebviewViewProvider,
  window,
  workspace,
} from 'vscode';
import {
  type Agent,
  lineNumbers,
  readAgents,
  readConversations,
  readMessages,
  readStarted,
  type RunEvent,
} from '../agents/protocol';
import type { Runs } from '../agents/runs';
import { fileMention, globFor, MOST, rankPaths, specialMentions, symbolMention, symbolQuery } from './mentions';
import { readWish, type Suggestion, type Update, type Wish } from './messages';
import { chatPage } from './page';
import { attachAnswer, Transcript } from './transcript';

export const CHAT_VIEW = 'dragoman.chat';
const ASSISTANT = 'assistant';
const FOUND_FILES = 400;

interface Subject {
  readonly label: string;
  readonly uri: string;
  readonly range: unknown;
}

/** The chat view. What was said is kept here: the page comes and goes as the view is shown and hidden. */
export class ChatView implements WebviewViewProvider, Disposable {
  private view: WebviewView | undefined;
  private isReady = false;
  private wantsFocus = false;
  private transcript = new Transcript();
  private readonly running = new Map<string, Transcript>();
  /** The conversation whose question is to be given up, though its run is not known yet. */
  private stopped: Transcript | undefined;
  private agents: readonly Agent[] = [];
  private agent = ASSISTANT;
  private subject: Subject | undefined;
  private readonly registration: Disposable;
  /** The editor that Insert and Apply mean: the last that was used, for the view has the focus itself. */
  private editor: TextEditor | undefined = window.activeTextEditor;
  private readonly following = window.onDidChangeActiveTextEditor((editor) => {
    this.editor = editor ?? this.editor;
  });

  constructor(
    private readonly folder: Uri,
    private readonly runs: Runs,
  ) {
    this.registration = window.registerWebviewViewProvider(CHAT_VIEW, this);
  }

  dispose(): void {
    this.registration.dispose();
    this.following.dispose();
  }

  resolveWebviewView(view: WebviewView): void {
    const { webview } = view;
    const files = Uri.joinPath(this.folder, 'dist');
    const address = (name: string) => webview.asWebviewUri(Uri.joinPath(files, name)).toString();
    this.view = view;
    this.isReady = false;
    webview.options = { enableScripts: true, localResourceRoots: [files] };
    webview.onDidReceiveMessage((message: unknown) => {
      const wish = readWish(message);
      if (wish) {
        this.grant(wish).catch((error: unknown) => void window.showErrorMessage(sentenceOf(error)));
      }
    });
    view.onDidChangeVisibility(() => {
      // A hidden page is thrown away; the one that comes in its place says that it is ready.
      this.isReady &&= view.visible;
    });
    view.onDidDispose(() => {
      this.view = undefined;
      this.isReady = false;
    });
    webview.html = chatPage({
      source: webview.cspSource,
      nonce: randomBytes(16).toString('base64url'),
      script: address('chat.js'),
      style: address('chat.css'),
    });
  }

  /** Shows the view with the cursor in its field. */
  async open(): Promise<void> {
    this.wantsFocus = true;
    await commands.executeCommand(`${CHAT_VIEW}.focus`);
    this.focus();
  }

  /** Shows the view; the next question is about what is selected. */
  async askAboutSelection(): Promise<void> {
    const editor = window.activeTextEditor;
    if (editor) {
      const { document, selection } = editor;
      const range = selection.isEmpty ? document.lineAt(selection.start.line).range : selection;
      const name = workspace.asRelativePath(document.uri);
      this.subject = { label: `${name}:${lineNumbers(selection)}`, uri: document.uri.toString(), range: plain(range) };
      this.tell({ type: 'subject', subject: this.subject });
    }
    await this.open();
  }

  /** Shows the answer of a run that some command started, as a conversation of its own. */
  adopt(runId: string, question: string): void {
    const transcript = new Transcript();
    transcript.title = firstLine(question);
    transcript.ask(question);
    this.follow(runId, transcript);
    this.show(transcript);
    void commands.executeCommand(`${CHAT_VIEW}.focus`, { preserveFocus: true });
  }

  /** Takes in what happens in a run; tells whether the run is one of this view. */
  heard(event: RunEvent): boolean {
    const transcript = this.running.get(event.runId);
    if (!transcript) {
      return false;
    }
    this.tellOf(transcript, transcript.hear(event));
    if (!transcript.running) {
      this.running.delete(event.runId);
    }
    return true;
  }

  /** The server has ended, and every run with it. */
  ended(): void {
    for (const transcript of this.running.values()) {
      this.tellOf(transcript, transcript.fail('The Dragoman server has ended.'));
    }
    this.running.clear();
  }

  /** A server has started: which agents are there may have changed. */
  async started(): Promise<void> {
    try {
      this.agents = readAgents(await this.runs.execute('dragoman.agents', {}));
      this.tell({ type: 'agents', agents: this.agents, agent: this.agent });
    } catch {
      // An older server, or none: the assistant is always there to be chosen.
    }
  }

  private async grant(wish: Wish): Promise<void> {
    switch (wish.type) {
      case 'ready':
        this.isReady = true;
        this.show();
        this.focus();
        await (this.agents.length === 0 ? this.started() : undefined);
        break;
      case 'send':
        await this.send(wish.text, wish.agent);
        break;
      case 'stop':
        await this.stop();
        break;
      case 'new':
        this.show(new Transcript());
        break;
      case 'history': {
        const answer = await this.runs.execute('dragoman.conversations', {});
        this.tell({ type: 'history', conversations: readConversations(answer) });
        break;
      }
      case 'open':
        await this.reopen(wish.id);
        break;
      case 'approve':
        await this.approve(wish);
        break;
      case 'dropSubject':
        this.subject = undefined;
        this.tell({ type: 'subject', subject: undefined });
        break;
      case 'copy':
        await env.clipboard.writeText(wish.code);
        break;
      case 'insert':
        await this.insert(wish.code);
        break;
      case 'apply':
        await this.apply(wish.code);
        break;
      case 'suggest':
        this.tell({ type: 'suggestions', ask: wish.ask, suggestions: await suggest(wish.query) });
        break;
    }
  }

  private async send(text: string, agent: string): Promise<void> {
    const { transcript, subject } = this;
    const { conversationId } = transcript;
    if (transcript.running) {
      return;
    }
    if (transcript.items.length === 0) {
      transcript.title = firstLine(text);
      this.tell({ type: 'title', title: transcript.title });
    }
    this.agent = agent;
    this.subject = undefined;
    // What a command has answered is no conversation of the server's yet: it is sent along with the first question.
    const sent = conversationId === undefined ? attachAnswer(text, transcript.lastAnswer()) : text;
    this.tellOf(transcript, transcript.ask(text, subject ? [subject.label] : []));
    this.tell({ type: 'subject', subject: undefined });
    const place = subject && { uri: subject.uri, range: subject.range };
    try {
      const argument = { text: sent, agent, ...(conversationId === undefined ? {} : { conversationId }), ...place };
      const answer = await this.runs.execute('dragoman.chat', argument, (runId) => {
        this.follow(runId, transcript);
        if (this.stopped === transcript) {
          this.runs.execute('dragoman.cancel', { runId }).catch(() => undefined);
        }
      });
      transcript.conversationId = readStarted(answer)?.conversationId;
    } catch (error) {
      this.tellOf(transcript, transcript.fail(sentenceOf(error)));
    }
  }

  /** Ends the run that answers here, as soon as it is known. */
  private async stop(): Promise<void> {
    const { runId, running } = this.transcript;
    this.stopped = running ? this.transcript : undefined;
    if (runId !== undefined) {
      this.stopped = undefined;
      await this.runs.execute('dragoman.cancel', { runId });
    }
  }

  private follow(runId: string, transcript: Transcript): void {
    transcript.runId = runId;
    this.running.set(runId, transcript);
  }

  private async reopen(id: string): Promise<void> {
    const going = [...this.running.values()].find((one) => one.conversationId === id);
    if (going) {
      this.show(going);
      return;
    }
    const heads = readConversations(await this.runs.execute('dragoman.conversations', {}));
    const transcript = Transcript.of(readMessages(await this.runs.execute('dragoman.conversations', { id })));
    transcript.conversationId = id;
    transcript.title = firstLine(heads.find((one) => one.id === id)?.title ?? 'Conversation');
    this.show(transcript);
  }

  private async approve(wish: Extract<Wish, { type: 'approve' }>): Promise<void> {
    const { runId, callId, allow, remember } = wish;
    const transcript = this.running.get(runId);
    const update = transcript?.decide(callId, allow);
    if (transcript && update) {
      this.tellOf(transcript, [update]);
      const decision = allow ? 'allow' : 'deny';
      await this.runs.execute('dragoman.approve', { runId, callId, decision, remember });
    }
  }

  private async insert(code: string): Promise<void> {
    const editor = this.target();
    await editor?.edit((builder) => {
      for (const selection of editor.selections) {
        builder.replace(selection, code);
      }
    });
  }

  /** Has the code worked into the open file, as a preview; an empty file simply gets it. */
  private async apply(code: string): Promise<void> {
    const editor = this.target();
    if (!editor) {
      return;
    }
    const { document, selection } = editor;
    if (document.getText().trim() === '') {
      editor.selection = new Selection(document.positionAt(0), document.lineAt(document.lineCount - 1).range.end);
      await this.insert(code);
      return;
    }
    // The change is shown there, and its keys work there.
    await window.showTextDocument(document, editor.viewColumn);
    const whole = document.validateRange(new Selection(0, 0, document.lineCount, 0));
    const instruction = `Work this code into the file, where it belongs:\n\`\`\`\n${code}\n\`\`\``;
    const range = plain(selection.isEmpty ? whole : selection);
    await this.runs.execute('dragoman.edit', { uri: document.uri.toString(), range, instruction });
  }

  private target(): TextEditor | undefined {
    const editor = window.visibleTextEditors.find((one) => one === this.editor) ?? window.activeTextEditor;
    if (!editor) {
      void window.showInformationMessage('Open the file first that the code is for.');
    }
    return editor;
  }

  private show(transcript = this.transcript): void {
    this.transcript = transcript;
    const { agents, agent, subject } = this;
    const { items, running, title } = transcript;
    this.tell({ type: 'state', state: { title, items, running, agents, agent, subject } });
  }

  private focus(): void {
    if (this.wantsFocus && this.isReady) {
      this.wantsFocus = false;
      this.tell({ type: 'focus' });
    }
  }

  private tellOf(transcript: Transcript, updates: readonly Update[]): void {
    if (transcript === this.transcript) {
      updates.forEach((update) => {
        this.tell(update);
      });
    }
  }

  /** Tells the page; one that is hidden is gone, and is told everything when it comes back. */
  private tell(update: Update): void {
    if (this.isReady) {
      void this.view?.webview.postMessage(update);
    }
  }
}

async function suggest(query: string): Promise<Suggestion[]> {
  const symbol = symbolQuery(query);
  if (symbol !== undefined) {
    const found = await commands.executeCommand<SymbolInformation[] | undefined>(
      'vscode.executeWorkspaceSymbolProvider',
      symbol,
    );
    return (found ?? [])
      .slice(0, MOST)
      .map(({ name, location }) => symbolMention({ name, path: workspace.asRelativePath(location.uri) }));
  }
  const files = await workspace.findFiles(query === '' ? '**/*' : globFor(query), undefined, FOUND_FILES);
  const paths = files.map((uri) => workspace.asRelativePath(uri, false));
  return [...specialMentions(query), ...rankPaths(paths, query).map(fileMention)].slice(0, MOST);
}

function plain({ start, end }: { start: Spot; end: Spot }): unknown {
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}

type Spot = { readonly line: number; readonly character: number };

function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
