import { execFile } from 'node:child_process';
import { constants, promises as fs } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { extensions, workspace } from 'vscode';
import { pythonOf, type Surroundings } from './discovery';

const PROBE_MILLISECONDS = 15_000;

/** This machine and this workspace, as finding the server sees them. `storage` is the extension's own folder. */
export function thisMachine(storage: string): Surroundings {
  return {
    configured: workspace.getConfiguration('dragoman').get('server.command'),
    platform: process.platform,
    home: os.homedir(),
    searchPath: process.env['PATH'] ?? '',
    managedPython: pythonOf(managedEnvironment(storage), process.platform),
    workspacePythons,
    isProgram,
    hasDragoman: (python) =>
      succeeds(
        python,
        '-P',
        '-c',
        'import importlib.util, sys; sys.exit(importlib.util.find_spec("dragoman") is None)',
      ),
  };
}

/** The folder of the environment that the extension makes when it is asked to install the server. */
export function managedEnvironment(storage: string): string {
  return path.join(storage, 'server');
}

/** Whether a program runs and ends with 0. */
export function succeeds(program: string, ...args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: PROBE_MILLISECONDS, cwd: os.homedir(), windowsHide: true }, (error) => {
      resolve(error === null);
    });
  });
}

/** Whether a file exists and may be run. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    await fs.access(file, constants.X_OK);
    return (await fs.stat(file)).isFile();
  } catch {
    return false;
  }
}

/** Pythons of the workspace. A workspace that is not trusted must not choose what runs. */
async function workspacePythons(): Promise<readonly string[]> {
  if (!workspace.isTrusted) {
    return [];
  }
  const folders = (workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === 'file');
  const environments = folders.flatMap((folder) => ['.venv', 'venv'].map((name) => path.join(folder.uri.fsPath, name)));
  const chosen = await pythonOfPythonExtension();
  return [...(chosen ? [chosen] : []), ...environments.map((folder) => pythonOf(folder, process.platform))];
}

/** The little of the Python extension's interface that is used here. */
interface PythonExtension {
  readonly environments?: { getActiveEnvironmentPath(): { readonly path: string } };
}

async function pythonOfPythonExtension(): Promise<string | undefined> {
  const extension = extensions.getExtension<PythonExtension>('ms-python.python');
  try {
    const python = (await extension?.activate())?.environments?.getActiveEnvironmentPath().path;
    return python && path.isAbsolute(python) ? python : undefined;
  } catch {
    // Somebody else's extension that does not start must not keep ours from looking further.
    return undefined;
  }
}
