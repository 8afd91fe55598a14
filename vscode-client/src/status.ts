/** What the server says about itself in `dragoman/status`. */
export interface ServerStatus {
  readonly state: 'ready' | 'loading' | 'busy' | 'no_model' | 'problem' | 'off';
  readonly sentence: string;
  /** What to do about it. */
  readonly advice: string | undefined;
  readonly model: string | undefined;
  readonly provider: string | undefined;
  readonly latencyMs: number | undefined;
  /** How far the index of the workspace is, or what is wrong with it. */
  readonly index: string | undefined;
}

/** What only this side knows: whether there is a server to say anything. */
export type ClientState = 'starting' | 'running' | 'restarting' | 'stopped' | 'missing' | 'failed';

/** What the status bar shows. */
export interface Face {
  readonly text: string;
  readonly severity: 'none' | 'warning' | 'error';
  readonly headline: string;
  /** All that is to be said, in one piece. */
  readonly sentence: string;
  /** The same, one thought each: what is, what to do about it, what else is in the way. */
  readonly thoughts: readonly string[];
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** Reads a notification from the server; a field that is absent or odd is left out. */
export function readStatus(params: unknown): ServerStatus | undefined {
  if (typeof params !== 'object' || params === null) {
    return undefined;
  }
  const fields = params as Record<string, unknown>;
  const state = fields['state'];
  if (!isState(state)) {
    return undefined;
  }
  const latency = fields['latencyMs'];
  return {
    state,
    sentence: text(fields['sentence']) ?? '',
    advice: text(fields['advice']),
    model: text(fields['model']),
    provider: text(fields['provider']),
    latencyMs: typeof latency === 'number' && Number.isFinite(latency) ? latency : undefined,
    index: text(fields['index']),
  };
}

/** Decides what the status bar shows. `hidden` says why the editor itself hides suggestions, if it does. */
export function describe(
  client: ClientState,
  server: ServerStatus | undefined,
  latencyMs: number | undefined,
  hidden: string | undefined,
): Face {
  if (client !== 'running') {
    const look = withoutServer[client];
    return { ...look, thoughts: [look.sentence], facts: [] };
  }
  if (!server) {
    const thoughts = hidden === undefined ? [] : [hidden];
    const look = { text: '$(sparkle) Dragoman', severity: 'none', headline: 'Running' } as const;
    return { ...look, sentence: hidden ?? '', thoughts, facts: [] };
  }
  const latency = server.latencyMs ?? latencyMs;
  const look = looks[server.state];
  const thoughts = [server.sentence, server.advice, server.index, hidden].filter((one): one is string => Boolean(one));
  const named = server.state === 'ready' || server.state === 'busy' || server.state === 'loading';
  return {
    text: `${look.icon} ${named && server.model ? shorten(server.model) : look.label}`,
    severity: look.severity,
    headline: look.headline,
    sentence: thoughts.join(' '),
    thoughts,
    facts: [
      ...(server.model ? [['Model', server.model] as const] : []),
      ...(server.provider ? [['Provider', server.provider] as const] : []),
      ...(latency === undefined ? [] : [['Suggestions take', `${String(Math.round(latency))} ms`] as const]),
    ],
  };
}

/** Shortens a model's name to what tells it apart: `/models/Qwen2.5-Coder-0.5B-Q4_K_M.gguf` → `Qwen2.5-Coder-0.5B-Q4_K_M`. */
export function shorten(model: string): string {
  const name = (model.split(/[/\\]/).pop() ?? model).replace(/\.gguf$/i, '');
  return name.length <= MOST_CHARACTERS ? name : `${name.slice(0, MOST_CHARACTERS - 1)}…`;
}

const MOST_CHARACTERS = 28;

const looks = {
  ready: { icon: '$(sparkle)', label: 'Dragoman', severity: 'none', headline: 'Ready' },
  busy: { icon: '$(loading~spin)', label: 'Dragoman', severity: 'none', headline: 'Thinking' },
  loading: { icon: '$(loading~spin)', label: 'Loading model', severity: 'none', headline: 'Loading the model' },
  no_model: { icon: '$(cloud-download)', label: 'No model', severity: 'warning', headline: 'No model' },
  problem: { icon: '$(warning)', label: 'Dragoman', severity: 'warning', headline: 'Problem' },
  off: { icon: '$(circle-slash)', label: 'Dragoman', severity: 'none', headline: 'Off' },
} as const;

const withoutServer: Record<Exclude<ClientState, 'running'>, Omit<Face, 'facts' | 'thoughts'>> = {
  starting: {
    text: '$(loading~spin) Dragoman',
    severity: 'none',
    headline: 'Starting',
    sentence: 'The server is starting.',
  },
  restarting: {
    text: '$(loading~spin) Dragoman',
    severity: 'warning',
    headline: 'Restarting',
    sentence: 'The server ended unexpectedly and is started again.',
  },
  stopped: {
    text: '$(circle-slash) Dragoman',
    severity: 'none',
    headline: 'Stopped',
    sentence: 'The server is not running.',
  },
  missing: {
    text: '$(warning) Dragoman',
    severity: 'warning',
    headline: 'No server',
    sentence: 'The server was not found on this machine. It can be installed from here.',
  },
  failed: {
    text: '$(error) Dragoman',
    severity: 'error',
    headline: 'Not running',
    sentence: 'The server could not be kept running. The log and the doctor say why.',
  },
};

function isState(value: unknown): value is ServerStatus['state'] {
  return typeof value === 'string' && Object.hasOwn(looks, value);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
