import { ProcessExecution, Task, TaskPanelKind, TaskRevealKind, TaskScope, tasks } from 'vscode';
import type { Launcher } from './discovery';

/** Runs a command of the server's program in a terminal that stays open; no shell reads the arguments. */
export async function runInTerminal(title: string, launcher: Launcher, args: readonly string[]): Promise<void> {
  const [program, ...first] = launcher.command;
  const task = new Task(
    { type: 'dragoman' },
    TaskScope.Global,
    title,
    'Dragoman',
    new ProcessExecution(program, [...first, ...args]),
  );
  task.presentationOptions = {
    reveal: TaskRevealKind.Always,
    panel: TaskPanelKind.Dedicated,
    focus: true,
    clear: true,
  };
  await tasks.executeTask(task);
}
