import * as vscode from 'vscode';
import type { CancellationToken, Disposable } from 'vscode';
import type { Server } from '../server';
import { type Asked, countTokens, readModels, toMessages, toTools } from './lending';

/** The vendor that package.json declares. */
export const VENDOR = 'dragoman';

/** The model that chats are answered by, whichever it is at the time. */
export const CHOSEN = 'chosen';

/** What the editor's interface for models of others has; the oldest editors that we run in do not declare it. */
interface ModelInformation {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly detail: string;
  readonly tooltip: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly capabilities: { readonly imageInput: boolean; readonly toolCalling: boolean };
}

interface ModelOptions {
  readonly tools?: readonly unknown[];
  readonly toolMode?: number;
}

interface Parts {
  readonly LanguageModelTextPart: new (text: string) => unknown;
  readonly LanguageModelToolCallPart: new (id: string, name: string, input: object) => unknown;
}

interface Registry {
  registerLanguageModelChatProvider?: (vendor: string, provider: unknown) => Disposable;
}

const TOOL_REQUIRED = 2;

/**
 * Lends the server's models to the editor's own chat and to other extensions, where the editor takes models.
 *
 * The editor's chat asks nobody, not even `@dragoman`, as long as it has no model at all.
 */
export class LanguageModels implements Disposable {
  readonly onDidChangeLanguageModelChatInformation: vscode.Event<void>;
  private readonly changes = new vscode.EventEmitter<void>();
  private seen = '';
  private readonly registration: Disposable | undefined;

  constructor(private readonly server: Server) {
    this.onDidChangeLanguageModelChatInformation = this.changes.event;
    const registry = vscode.lm as unknown as Registry | undefined;
    this.registration = registry?.registerLanguageModelChatProvider?.(VENDOR, this);
  }

  dispose(): void {
    this.registration?.dispose();
    this.changes.dispose();
  }

  /** Has the editor ask again which models there are, if the server is another one or has another model. */
  look(): void {
    const { state, status } = this.server;
    const now = state === 'running' ? `running ${status?.model ?? ''} ${status?.provider ?? ''}` : '';
    if (now !== this.seen) {
      this.seen = now;
      this.changes.fire();
    }
  }

  async provideLanguageModelChatInformation(
    _options: unknown,
    token: CancellationToken,
  ): Promise<readonly ModelInformation[]> {
    const models = readModels(await this.server.request('dragoman/models', {}, token).catch(() => undefined));
    const [first] = models;
    if (!first) {
      return [];
    }
    const chosen = { ...first, id: CHOSEN, label: 'Dragoman', detail: first.name };
    return [chosen, ...models.map((one) => ({ ...one, id: one.name, label: one.name, detail: one.provider }))].map(
      (one) => ({
        id: one.id,
        name: one.label,
        family: one.name,
        version: '1',
        detail: one.detail,
        tooltip: `${one.name} (${one.provider}), through Dragoman`,
        maxInputTokens: one.maxInputTokens,
        maxOutputTokens: one.maxOutputTokens,
        capabilities: { imageInput: one.vision, toolCalling: one.tools },
      }),
    );
  }

  async provideLanguageModelChatResponse(
    model: ModelInformation,
    messages: readonly Asked[],
    { tools, toolMode }: ModelOptions,
    progress: vscode.Progress<unknown>,
    token: CancellationToken,
  ): Promise<void> {
    const { LanguageModelTextPart, LanguageModelToolCallPart } = vscode as unknown as Parts;
    await this.server.stream(
      'dragoman/answer',
      {
        messages: toMessages(messages),
        tools: toTools(tools),
        ...(model.id === CHOSEN ? {} : { model: model.id }),
        ...(toolMode === TOOL_REQUIRED ? { toolChoice: 'required' } : {}),
      },
      (piece) => {
        const { text, toolCall } = piece as {
          readonly text?: string;
          readonly toolCall?: { readonly id: string; readonly name: string; readonly arguments: string };
        };
        if (text !== undefined) {
          progress.report(new LanguageModelTextPart(text));
        } else if (toolCall) {
          const input = JSON.parse(toolCall.arguments || '{}') as object;
          progress.report(new LanguageModelToolCallPart(toolCall.id, toolCall.name, input));
        }
      },
      token,
    );
  }

  provideTokenCount(_model: unknown, text: string | Asked): Promise<number> {
    return Promise.resolve(countTokens(text));
  }
}
