import { promises as fs } from 'node:fs';

/** A lock this old was left behind by an editor that died, whatever runs under its number now. */
const FORGOTTEN_MILLISECONDS = 30 * 60_000;
const PAUSE_MILLISECONDS = 500;

/** Does something that only one window at a time may do; the others wait, until the signal is given. */
export async function alone<T>(file: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  while (!(await take(file))) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
  }
  try {
    return await task();
  } finally {
    await fs.rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await fs.writeFile(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  }
  if (await abandoned(file)) {
    await fs.rm(file, { force: true });
  }
  return false;
}

async function abandoned(file: string): Promise<boolean> {
  try {
    const owner = Number(await fs.readFile(file, 'utf8'));
    const age = Date.now() - (await fs.stat(file)).mtimeMs;
    // A file that is still empty is being written.
    return age > FORGOTTEN_MILLISECONDS || (owner > 0 && !runs(owner));
  } catch {
    return false;
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
