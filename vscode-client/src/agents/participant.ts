import * as vscode from 'vscode';
import type { RunEvent } from './protocol';
import { readStarted } from './protocol';
import type { Audience, Runs } from './runs';
import { CHOSEN, VENDOR } from './languageModels';
import { describeArguments } from '../chat/transcript';

interface Talk {
  readonly write: (event: RunEvent) => void;
  readonly end: () => void;
}

/** `@dragoman` in the editor's own chat, where the editor has one; asks for permission by a message. */
export class Participant implements Audience, vscode.Disposable {
  private readonly talks = new Map<string, Talk>();
  private registration: vscode.Disposable | undefined;

  constructor(private readonly runs: Runs) {
    // Editors made from older or other sources lack it.
    const chat = vscode.chat as typeof vscode.chat | undefined;
    if (typeof chat?.createChatParticipant === 'function') {
      const participant = chat.createChatParticipant('dragoman.dragoman', (request, context, stream, token) =>
        this.answer(request, context, stream, token),
      );
      participant.iconPath = new vscode.ThemeIcon('comment-discussion');
      this.registration = participant;
    }
  }

  dispose(): void {
    this.registration?.dispose();
  }

  /** Whether a run is shown in the editor's own chat. */
  shows(runId: string): boolean {
    return this.talks.has(runId);
  }

  heard(event: RunEvent): void {
    const talk = this.talks.get(event.runId);
    talk?.write(event);
    if (event.type === 'finished' || event.type === 'failed' || event.type === 'cancelled') {
      talk?.end();
    }
  }

  ended(): void {
    for (const talk of this.talks.values()) {
      talk.end();
    }
  }

  private async answer(
    request: vscode.ChatRequest,
    context: vscode.ChatContext,
    stream: vscode.ChatResponseStream,
    token: vscode.CancellationToken,
  ): Promise<vscode.ChatResult> {
    const before = context.history.findLast((turn) => turn instanceof vscode.ChatResponseTurn);
    const conversationId = (before?.result.metadata as { readonly conversationId?: string } | undefined)
      ?.conversationId;
    const { model } = request as { readonly model?: { readonly vendor: string; readonly id: string } };
    const argument = {
      text: request.prompt,
      ...(conversationId === undefined ? {} : { conversationId }),
      // Another vendor's model is not ours to ask.
      ...(model?.vendor === VENDOR && model.id !== CHOSEN ? { model: model.id } : {}),
    };
    let runId = '';
    let failure: string | undefined;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const talk: Talk = {
      end,
      write: (event) => {
        if (event.type === 'text') {
          stream.markdown(event.text);
        } else if (event.type === 'tool_call') {
          stream.progress(`${event.tool} ${describeArguments(event.arguments)}`);
        } else if (event.type === 'failed') {
          failure = event.error;
        }
      },
    };
    const started = readStarted(
      await this.runs.execute('dragoman.chat', argument, (id) => {
        runId = id;
        this.talks.set(id, talk);
      }),
    );
    const cancelling = token.onCancellationRequested(() => {
      this.runs.execute('dragoman.cancel', { runId }).catch(end);
    });
    await ended;
    cancelling.dispose();
    this.talks.delete(runId);
    return {
      metadata: { conversationId: started?.conversationId },
      ...(failure === undefined ? {} : { errorDetails: { message: failure } }),
    };
  }
}
