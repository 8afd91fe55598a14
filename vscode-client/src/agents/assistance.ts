import { CodeActionKind, type CommentThread, type Disposable, languages, type Uri, window } from 'vscode';
import { ChatView } from '../chat/view';
import { Previews } from '../edits/previews';
import type { Server } from '../server';
import { AgentCommands, EditAction } from './commands';
import { showCommitMessage, showText } from './git';
import { LanguageModels } from './languageModels';
import { Participant } from './participant';
import { isShownElsewhere, RunProgress } from './progress';
import { type ApprovalRequired, fieldsOf, lineNumbers, readSpan, type RunEvent, textOf } from './protocol';
import { type Origin, Runs } from './runs';

const ANSWERS = {
  'Allow Once': { decision: 'allow', remember: 'once' },
  'Allow in This Run': { decision: 'allow', remember: 'run' },
  'Always Allow': { decision: 'allow', remember: 'always' },
  Deny: { decision: 'deny', remember: 'once' },
} as const;

const QUESTIONS: Record<string, string> = {
  'dragoman.explain': 'Explain',
  'dragoman.test': 'Write tests for',
  'dragoman.runAgent': '',
};

/** All that a person sees of agents: the chat, previews of edits, progress, messages. */
export class Assistance implements Disposable {
  readonly runs: Runs;
  private readonly chat: ChatView;
  private readonly previews: Previews;
  private readonly participant: Participant;
  private readonly models: LanguageModels;
  private readonly editAction: Disposable;
  private readonly proposed = new Set<string>();

  constructor(folder: Uri, server: Server) {
    this.runs = new Runs(server);
    this.chat = new ChatView(folder, this.runs);
    this.previews = new Previews(this.runs);
    this.participant = new Participant(this.runs);
    this.models = new LanguageModels(server);
    this.editAction = languages.registerCodeActionsProvider(
      [{ scheme: 'file' }, { scheme: 'untitled' }],
      new EditAction(),
      { providedCodeActionKinds: [CodeActionKind.RefactorRewrite] },
    );
    this.runs.follow(this.participant);
    this.runs.follow(new RunProgress(this.runs));
    this.runs.follow({
      began: (runId, origin) => {
        this.adopt(runId, origin);
      },
      heard: (event, origin) => {
        this.heard(event, origin);
      },
      ended: () => {
        this.chat.ended();
        this.previews.ended();
        this.proposed.clear();
      },
    });
  }

  /** The commands of the palette and the menus, by name. */
  get actions(): Record<string, (...given: never[]) => unknown> {
    const { chat, previews } = this;
    const commands = new AgentCommands(this.runs);
    const spoken = (work: (thread?: CommentThread) => Promise<void>) => async (thread?: CommentThread) => {
      try {
        await work(thread);
      } catch (error) {
        void window.showErrorMessage(error instanceof Error ? error.message : String(error));
      }
    };
    return {
      chat: () => chat.open(),
      askSelection: () => chat.askAboutSelection(),
      edit: () => commands.edit(),
      explain: commands.explain,
      fix: commands.fix,
      document: commands.document,
      test: commands.test,
      review: () => commands.review(),
      reviewChanges: () => commands.reviewChanges(),
      commitMessage: commands.commitMessage,
      pullRequest: commands.pullRequest,
      acceptHunk: spoken((thread) => previews.decide(true, threadOf(thread))),
      rejectHunk: spoken((thread) => previews.decide(false, threadOf(thread))),
      acceptAllHunks: spoken(() => previews.decideAll(true)),
      rejectAllHunks: spoken(() => previews.decideAll(false)),
      diffHunks: spoken(() => previews.showDiff()),
      nextHunk: () => previews.next(),
    };
  }

  /** A server has started. */
  started(): void {
    void this.chat.started();
  }

  /** Another model may be there than before. */
  modelsMayHaveChanged(): void {
    this.models.look();
  }

  dispose(): void {
    for (const each of [this.chat, this.previews, this.participant, this.models, this.editAction]) {
      each.dispose();
    }
  }

  /** Shows in the chat what says its answer in words. */
  private adopt(runId: string, { command, argument }: Origin): void {
    const verb = QUESTIONS[command];
    if (verb === undefined) {
      return;
    }
    const { uri, range, agent, task } = fieldsOf(argument);
    const address = textOf(uri);
    const name = decodeURIComponent(address.slice(address.lastIndexOf('/') + 1));
    const span = readSpan(range);
    const place = span ? `${name}:${lineNumbers(span)}` : name;
    this.chat.adopt(runId, address ? `${verb} ${place}` : `${textOf(agent)}: ${textOf(task)}`);
  }

  private heard(event: RunEvent, origin: Origin | undefined): void {
    this.previews.heard(event);
    if (this.chat.heard(event)) {
      return;
    }
    if (event.type === 'edit') {
      this.proposed.add(event.runId);
    } else if (event.type === 'approval_required') {
      void this.ask(event.runId, event);
    } else if (event.type === 'failed' && !this.participant.shows(event.runId)) {
      void window.showErrorMessage(`Dragoman: ${event.error}`);
    } else if (event.type === 'finished' && origin) {
      this.finished(event, origin);
    }
  }

  private finished({ runId, output }: { runId: string; output: string }, { command }: Origin): void {
    if (command === 'dragoman.commitMessage') {
      void showCommitMessage(output.trim());
    } else if (command === 'dragoman.pullRequest') {
      void showText(output.trim(), 'markdown');
    } else if (
      isShownElsewhere(command) &&
      !['dragoman.review', 'dragoman.reviewChanges', 'dragoman.ask'].includes(command) &&
      !this.proposed.has(runId)
    ) {
      void window.showInformationMessage('Dragoman: the model proposed no change.');
    }
    this.proposed.delete(runId);
  }

  /** Asks for permission by a message, where no view shows the run; one that is closed means no. */
  private async ask(runId: string, { callId, tool, summary }: ApprovalRequired): Promise<void> {
    const question = `Dragoman wants to: ${summary || tool}`;
    const answer = await window.showWarningMessage(question, ...Object.keys(ANSWERS));
    const { decision, remember } = ANSWERS[(answer ?? 'Deny') as keyof typeof ANSWERS];
    await this.runs.execute('dragoman.approve', { runId, callId, decision, remember }).catch(() => undefined);
  }
}

/** The thread whose button was pressed; a key gives nothing, a menu of the editor the file. */
function threadOf(given: unknown): CommentThread | undefined {
  return typeof given === 'object' && given !== null && 'comments' in given ? (given as CommentThread) : undefined;
}
