import type { Server } from '../server';
import { readRunEvent, readStarted, type RunEvent } from './protocol';

/** Which command started a run, and on what. */
export interface Origin {
  readonly command: string;
  readonly argument: unknown;
}

/** A part of the user interface that shows runs. */
export interface Audience {
  /** A run began that some command asked for, perhaps one of the server's own code actions, and nobody shows yet. */
  began?(runId: string, origin: Origin): void;
  heard(event: RunEvent, origin: Origin | undefined): void;
  /** No run goes on: the server ended. */
  ended?(): void;
}

const WAITING_EVENTS = 2000;

/** The commands that start a run. */
const STARTING: ReadonlySet<string> = new Set(
  [
    'chat',
    'explain',
    'edit',
    'fix',
    'document',
    'simplify',
    'test',
    'review',
    'reviewChanges',
    'runAgent',
    'commitMessage',
    'pullRequest',
    'ask',
  ].map((name) => `dragoman.${name}`),
);

/** Passes run events on to those who show them, each with the command that its run began with. */
export class Runs {
  private readonly audiences: Audience[] = [];
  private readonly origins = new Map<string, Origin>();
  private waiting: RunEvent[] = [];
  private starting = 0;

  constructor(private readonly server: Server) {}

  follow(audience: Audience): void {
    this.audiences.push(audience);
  }

  /**
   * Runs a command; returns its answer, and throws the server's own sentence, or one that says that none runs.
   *
   * Who shows the run that it starts by itself says so with `take`, which is called before the first event.
   */
  async execute(command: string, argument: object, take?: (runId: string) => void): Promise<unknown> {
    const answer = await this.watch({ command, argument }, () => this.server.execute(command, argument), take);
    if (answer === undefined) {
      throw new Error(
        this.server.state === 'running'
          ? 'The Dragoman server is older than this extension and cannot do that.'
          : 'The Dragoman server is not running.',
      );
    }
    return answer;
  }

  /** Has a command done, whoever asked for it, and notes the run that it starts. */
  async watch(origin: Origin, work: () => PromiseLike<unknown>, take?: (runId: string) => void): Promise<unknown> {
    if (!STARTING.has(origin.command)) {
      return work();
    }
    this.starting += 1;
    try {
      const answer = await work();
      const started = readStarted(answer);
      if (started) {
        this.origins.set(started.runId, origin);
        if (take) {
          take(started.runId);
        } else {
          this.audiences.forEach((each) => each.began?.(started.runId, origin));
        }
      }
      return answer;
    } finally {
      this.starting -= 1;
      this.passOn();
    }
  }

  /** Takes a notification in. Its run may not be known yet: the first events can be faster than the answer. */
  receive(params: unknown): void {
    const event = readRunEvent(params);
    if (!event) {
      return;
    }
    this.waiting.push(event);
    this.passOn();
  }

  /** Forgets every run. */
  end(): void {
    this.origins.clear();
    this.waiting = [];
    for (const each of this.audiences) {
      each.ended?.();
    }
  }

  private passOn(): void {
    const stay: RunEvent[] = [];
    for (const event of this.waiting) {
      const origin = this.origins.get(event.runId);
      if (!origin && this.starting > 0 && this.waiting.length < WAITING_EVENTS) {
        stay.push(event);
        continue;
      }
      for (const each of this.audiences) {
        each.heard(event, origin);
      }
    }
    this.waiting = stay;
  }
}
