/** How severe a line of the server's log is. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

const LEVELS: Record<string, Level> = {
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  warn: 'warn',
  error: 'error',
  critical: 'error',
};

/** Reads a line that the server wrote to stderr: a JSON record, or plain text. */
export function readLogLine(line: string): { level: Level; text: string } {
  const record = parse(line);
  const message = record?.['message'] ?? record?.['event'];
  if (record && typeof message === 'string') {
    const level = record['log.level'] ?? record['level'];
    const rest = Object.entries(record).filter(([key]) => !SHOWN_APART.has(key));
    const details = rest.map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
    return { level: (typeof level === 'string' && LEVELS[level]) || 'info', text: [message, ...details].join(' ') };
  }
  const named = /\b(debug|info|warning|error|critical)\b/i.exec(line.slice(0, 60))?.[1]?.toLowerCase();
  return { level: (named && LEVELS[named]) || 'info', text: line };
}

const SHOWN_APART = new Set([
  'message',
  'event',
  'log.level',
  'level',
  '@timestamp',
  'timestamp',
  'ecs.version',
  'log',
]);

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) {
    return undefined;
  }
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
