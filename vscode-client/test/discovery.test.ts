import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfiguredCommandError, findServer, readCommand, type Surroundings } from '../src/discovery';

function machine(programs: string[], more: Partial<Surroundings> = {}, withDragoman: string[] = []): Surroundings {
  return {
    configured: null,
    platform: 'linux',
    home: '/home/ada',
    searchPath: '/usr/local/bin:/usr/bin',
    managedPython: '/store/server/bin/python',
    workspacePythons: () => Promise.resolve([]),
    isProgram: (file) => Promise.resolve(programs.includes(file)),
    hasDragoman: (python) => Promise.resolve(withDragoman.includes(python)),
    ...more,
  };
}

test('the setting comes first, and its home sign is understood', async () => {
  const around = machine(['/home/ada/bin/dragoman', '/usr/bin/dragoman'], { configured: '~/bin/dragoman' });
  assert.deepEqual((await findServer(around))?.command, ['/home/ada/bin/dragoman']);
});

test('a list in the setting keeps its arguments, and a name is looked up on the PATH', async () => {
  const around = machine(['/usr/bin/python3'], { configured: ['python3', '-m', 'dragoman'] });
  assert.deepEqual((await findServer(around))?.command, ['/usr/bin/python3', '-m', 'dragoman']);
});

test('a setting that names nothing is an error that names it, not a reason to take another server', async () => {
  const around = machine(['/usr/bin/dragoman'], { configured: '/nowhere/dragoman' });
  await assert.rejects(findServer(around), (error) => {
    assert.ok(error instanceof ConfiguredCommandError);
    assert.match(error.message, /'\/nowhere\/dragoman'/);
    return true;
  });
});

test('a setting that is relative or not made of strings is refused', async () => {
  await assert.rejects(findServer(machine([], { configured: './dragoman' })), ConfiguredCommandError);
  assert.throws(() => readCommand([1], '/home/ada'), ConfiguredCommandError);
});

test('an empty setting counts as none', () => {
  for (const value of [null, undefined, '', '  ', [], ['']]) {
    assert.equal(readCommand(value, '/home/ada'), undefined);
  }
});

test('the PATH comes before every Python', async () => {
  const around = machine(['/usr/bin/dragoman', '/usr/bin/python3'], {}, ['/usr/bin/python3']);
  assert.deepEqual((await findServer(around))?.command, ['/usr/bin/dragoman']);
});

test('relative entries of the PATH are not followed: the opened folder must not choose the program', async () => {
  const around = machine(['dragoman', './dragoman', 'bin/dragoman'], { searchPath: '.:bin::/usr/bin' });
  assert.equal(await findServer(around), undefined);
});

test('the workspace, then the environment of ours, then the machine', async () => {
  const all = ['/ws/.venv/bin/python', '/store/server/bin/python', '/usr/bin/python3'];
  const around = (withDragoman: string[]) =>
    machine(all, { workspacePythons: () => Promise.resolve(['/ws/.venv/bin/python']) }, withDragoman);
  for (let left = all; left.length > 0; left = left.slice(1)) {
    // -P keeps the current folder out of Python's path.
    assert.deepEqual((await findServer(around(left)))?.command, [left[0], '-P', '-m', 'dragoman']);
  }
  assert.equal(await findServer(around([])), undefined);
});

test('Windows has its own endings and separators', async () => {
  const around = machine(['C:\\Tools\\dragoman.exe'], { platform: 'win32', searchPath: 'C:\\Windows;C:\\Tools' });
  assert.deepEqual((await findServer(around))?.command, ['C:\\Tools\\dragoman.exe']);
});
