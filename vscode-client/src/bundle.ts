import { promises as fs } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The server that came with the extension. */
export interface Bundle {
  readonly version: string;
  /** What pip is asked to install: this very file, with what the embedded model needs. No index is asked for our name. */
  readonly requirement: string;
}

/** Finds the wheel in the extension's folder; there is none when the extension runs from its sources. */
export async function findBundle(extension: string): Promise<Bundle | undefined> {
  const folder = path.join(extension, 'server');
  const names = await fs.readdir(folder).catch(() => []);
  for (const name of names) {
    const version = /^dragoman-([^-]+)-py3-none-any\.whl$/.exec(name)?.[1];
    if (version !== undefined) {
      return { version, requirement: `dragoman[embedded] @ ${pathToFileURL(path.join(folder, name)).href}` };
    }
  }
  return undefined;
}

/** What a probe of a Python told. */
export interface Python {
  readonly program: string;
  /** As in `3.11`. */
  readonly version: string;
  /** Whether it can make environments with pip in them; Debian keeps that in a package of its own. */
  readonly makesEnvironments: boolean;
}

/** Prints what `readPython` reads; ends with 1 when the Python is too old for the server. */
export const PYTHON_PROBE = [
  'import sys',
  'from importlib.util import find_spec',
  'sys.version_info < (3, 11) and sys.exit(1)',
  'print("%d.%d" % sys.version_info[:2], bool(find_spec("venv") and find_spec("ensurepip")))',
].join('\n');

export function readPython(program: string, printed: string): Python | undefined {
  const [, version, makes] = /^(\d+\.\d+) (True|False)\s*$/.exec(printed) ?? [];
  return version === undefined ? undefined : { program, version, makesEnvironments: makes === 'True' };
}

/** Says what to do about a Python that cannot make environments. */
export function environmentAdvice(python: Python, platform: NodeJS.Platform): string {
  const sentence = `Python ${python.version} at '${python.program}' cannot make environments: its module venv or ensurepip is missing.`;
  const advice = ` On Debian and Ubuntu this helps: sudo apt install python${python.version}-venv`;
  return platform === 'linux' ? sentence + advice : sentence;
}

/** Picks from what pip printed the words that say why it failed. */
export function reasonOf(printed: string): string | undefined {
  const lines = printed
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
  const error = lines.findLast((line) => /^error:/i.test(line))?.replace(/^error:\s*/i, '') ?? lines.at(-1);
  const unreachable = lines.some((line) => /^WARNING: Retrying \(.*(?:Error|Timeout)/i.test(line));
  // pip then goes on to say that there is no such package, which would send people the wrong way.
  return unreachable ? `the package index could not be reached. (${error ?? ''})` : error;
}

/** Says in a few words what pip is doing, if this line of its output tells. */
export function stepOf(line: string): string | undefined {
  const [, name, size] = /^\s*Downloading (?:\S*\/)?([\w.]+)-\d\S*\s+\(([^)]+)\)/.exec(line) ?? [];
  if (name !== undefined) {
    return `downloading ${name.replaceAll('_', '-')} (${size ?? ''})`;
  }
  return /^Installing collected packages/.test(line) ? 'putting the packages in place' : undefined;
}
