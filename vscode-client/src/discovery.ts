import * as path from 'node:path';

/** A way to start Dragoman: program and arguments, and where it was found, in words. */
export interface Launcher {
  readonly command: readonly [string, ...string[]];
  readonly source: string;
  /** Whether it lies in the environment that this extension made. */
  readonly managed?: boolean;
}

/** What finding the server needs to know about this machine; tests give a made-up one. */
export interface Surroundings {
  /** The setting `dragoman.server.command`. */
  readonly configured: unknown;
  readonly platform: NodeJS.Platform;
  readonly home: string;
  /** The variable PATH. */
  readonly searchPath: string;
  /** Python of the environment that this extension made, whether or not it exists. */
  readonly managedPython: string;
  /** Pythons of the workspace, best first; empty when the workspace is not trusted. */
  workspacePythons(): Promise<readonly string[]>;
  isProgram(file: string): Promise<boolean>;
  /** Whether this Python can import Dragoman. */
  hasDragoman(python: string): Promise<boolean>;
}

/** The setting names something that cannot be started; the message says what. */
export class ConfiguredCommandError extends Error {}

/** Finds the server, or returns undefined when there is none. Throws ConfiguredCommandError when the setting is wrong. */
export async function findServer(around: Surroundings): Promise<Launcher | undefined> {
  const configured = readCommand(around.configured, around.home);
  if (configured) {
    const program = await resolveProgram(configured[0], around);
    if (!program) {
      throw new ConfiguredCommandError(`'${configured[0]}' in the setting dragoman.server.command is not a program.`);
    }
    return { command: [program, ...configured.slice(1)], source: 'the setting dragoman.server.command' };
  }
  const onPath = await resolveProgram('dragoman', around);
  if (onPath) {
    return { command: [onPath], source: 'the PATH' };
  }
  for (const python of await around.workspacePythons()) {
    if ((await around.isProgram(python)) && (await around.hasDragoman(python))) {
      return { command: runModule(python), source: "the workspace's Python environment" };
    }
  }
  if ((await around.isProgram(around.managedPython)) && (await around.hasDragoman(around.managedPython))) {
    return {
      command: runModule(around.managedPython),
      source: 'the environment that this extension made',
      managed: true,
    };
  }
  for (const name of pythonNames(around.platform)) {
    const python = await resolveProgram(name, around);
    if (python && (await around.hasDragoman(python))) {
      return { command: runModule(python), source: "this machine's Python" };
    }
  }
  return undefined;
}

/** Reads the setting: a path with or without spaces, a list, or nothing. */
export function readCommand(value: unknown, home: string): [string, ...string[]] | undefined {
  const parts = typeof value === 'string' ? [value.trim()] : Array.isArray(value) ? value : [];
  if (!parts.every((part): part is string => typeof part === 'string')) {
    throw new ConfiguredCommandError('The setting dragoman.server.command must be a path or a list of strings.');
  }
  const [program, ...rest] = parts;
  if (program === undefined || program === '') {
    return undefined;
  }
  return [program.replace(/^~(?=[/\\]|$)/, home), ...rest];
}

/** Finds a program by absolute path, or by name on the PATH; relative entries of the PATH are not followed. */
export async function resolveProgram(name: string, around: Surroundings): Promise<string | undefined> {
  const paths = around.platform === 'win32' ? path.win32 : path.posix;
  if (paths.isAbsolute(name)) {
    return (await around.isProgram(name)) ? name : undefined;
  }
  if (/[/\\]/.test(name)) {
    throw new ConfiguredCommandError(`'${name}' must be an absolute path or a name on the PATH.`);
  }
  const endings = around.platform === 'win32' ? ['.exe', ''] : [''];
  for (const folder of around.searchPath.split(paths.delimiter)) {
    // A relative entry would let the opened folder choose the program.
    if (!paths.isAbsolute(folder)) {
      continue;
    }
    for (const ending of endings) {
      const file = paths.join(folder, name + ending);
      if (await around.isProgram(file)) {
        return file;
      }
    }
  }
  return undefined;
}

/** Names under which a machine keeps its Python, best first. */
export function pythonNames(platform: NodeJS.Platform): readonly string[] {
  return platform === 'win32' ? ['python', 'python3'] : ['python3', 'python'];
}

/** Where a virtual environment keeps its Python. */
export function pythonOf(environment: string, platform: NodeJS.Platform): string {
  return platform === 'win32'
    ? path.win32.join(environment, 'Scripts', 'python.exe')
    : path.posix.join(environment, 'bin', 'python');
}

/** Runs the module without the current folder on Python's path, or the opened folder could slip its own files in. */
function runModule(python: string): [string, ...string[]] {
  return [python, '-P', '-m', 'dragoman'];
}
