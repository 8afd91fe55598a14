import { ProgressLocation, window } from 'vscode';
import type { RunEvent } from './protocol';
import type { Audience, Origin, Runs } from './runs';

const TITLES: Record<string, string> = {
  'dragoman.edit': 'Editing',
  'dragoman.fix': 'Fixing',
  'dragoman.document': 'Documenting',
  'dragoman.simplify': 'Simplifying',
  'dragoman.review': 'Reviewing',
  'dragoman.reviewChanges': 'Reviewing what is changed in',
  'dragoman.commitMessage': 'Writing a commit message',
  'dragoman.pullRequest': 'Describing this branch',
  'dragoman.ask': 'Answering',
};

/** Whether what a command's run says is shown outside of the chat. */
export function isShownElsewhere(command: string): boolean {
  return command in TITLES;
}

interface Going {
  report(message: string): void;
  end(): void;
}

/** Shows each run that is not in the chat as a notification with a button that ends it. */
export class RunProgress implements Audience {
  private readonly going = new Map<string, Going>();

  constructor(private readonly runs: Runs) {}

  began(runId: string, { command, argument }: Origin): void {
    const title = TITLES[command];
    if (title === undefined) {
      return;
    }
    const { uri } = argument as { readonly uri?: unknown };
    const name = typeof uri === 'string' ? ` ${decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1))}` : '';
    const options = { location: ProgressLocation.Notification, title: `Dragoman: ${title}${name}`, cancellable: true };
    void window.withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => {
        this.runs.execute('dragoman.cancel', { runId }).catch(() => undefined);
      });
      return new Promise<void>((resolve) => {
        this.going.set(runId, {
          report: (message) => {
            progress.report({ message });
          },
          end: resolve,
        });
      });
    });
  }

  heard(event: RunEvent): void {
    const going = this.going.get(event.runId);
    if (event.type === 'tool_call') {
      going?.report(event.tool);
    } else if (event.type === 'finished' || event.type === 'failed' || event.type === 'cancelled') {
      going?.end();
      this.going.delete(event.runId);
    }
  }

  ended(): void {
    for (const going of this.going.values()) {
      going.end();
    }
    this.going.clear();
  }
}
