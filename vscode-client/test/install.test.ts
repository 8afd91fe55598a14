import assert from 'node:assert/strict';
import { promises as fs } from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { environmentAdvice, findBundle, readPython, reasonOf, stepOf } from '../src/bundle';
import { alone } from '../src/lock';
import { isNewer } from '../src/versions';

async function folder(): Promise<string> {
  return fs.mkdtemp(path.join(os.tmpdir(), 'dragoman-test-'));
}

test('the wheel beside the extension is what is installed, wherever it lies', async () => {
  const extension = path.join(await folder(), 'a b', '100%', 'x#y?z', 'café [1]');
  const wheel = path.join(extension, 'server', 'dragoman-1.20.3-py3-none-any.whl');
  await fs.mkdir(path.dirname(wheel), { recursive: true });
  await fs.writeFile(wheel, '');
  const bundle = await findBundle(extension);
  assert.equal(bundle?.version, '1.20.3');
  const [name, at, url, ...rest] = bundle.requirement.split(' ');
  assert.deepEqual([name, at, rest], ['dragoman[embedded]', '@', []]);
  assert.match(url ?? '', /^file:\/\/\/[!-~]+$/);
  assert.equal(fileURLToPath(url ?? ''), wheel);
});

test('an extension without a wheel has nothing to install', async () => {
  const extension = await folder();
  assert.equal(await findBundle(extension), undefined);
  await fs.mkdir(path.join(extension, 'server'));
  await fs.writeFile(path.join(extension, 'server', 'other-1.0-py3-none-any.whl'), '');
  assert.equal(await findBundle(extension), undefined);
});

test('a probe tells version and abilities; anything else is no Python', () => {
  assert.deepEqual(readPython('/p', '3.12 True\n'), { program: '/p', version: '3.12', makesEnvironments: true });
  assert.equal(readPython('/p', '3.11 False\n')?.makesEnvironments, false);
  assert.equal(readPython('/p', 'Python was not found'), undefined);
});

test('a Python without venv is answered with the command that helps', () => {
  const python = { program: '/usr/bin/python3', version: '3.11', makesEnvironments: false };
  assert.match(environmentAdvice(python, 'linux'), /'\/usr\/bin\/python3'.*sudo apt install python3\.11-venv$/);
  assert.doesNotMatch(environmentAdvice(python, 'darwin'), /apt/);
});

test("pip's reason is its error, not the last thing it said", () => {
  const full =
    'Collecting x\nERROR: Could not install packages due to an OSError: No space left on device\n\n[notice] y';
  assert.equal(reasonOf(full), 'Could not install packages due to an OSError: No space left on device');
  assert.equal(reasonOf('first\r\nlast\r\n'), 'last');
  assert.equal(reasonOf(' \n'), undefined);
});

test('a machine without the network is told so', () => {
  const offline = [
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError(…)': /simple/httpx/",
    'ERROR: No matching distribution found for httpx<0.29,>=0.28',
  ].join('\n');
  assert.match(reasonOf(offline) ?? '', /^the package index could not be reached\..*httpx/);
});

test('progress names what is downloaded', () => {
  const line = '  Downloading pydantic_core-2.41.5-cp311-cp311-manylinux_2_17_x86_64.whl (2.1 MB)';
  assert.equal(stepOf(line), 'downloading pydantic-core (2.1 MB)');
  assert.equal(
    stepOf('  Downloading https://host/a/xllamacpp-1.0-cp311.whl (34.0 MB)'),
    'downloading xllamacpp (34.0 MB)',
  );
  assert.equal(stepOf('Collecting httpx'), undefined);
});

test('two windows install one after the other', async () => {
  const file = path.join(await folder(), 'lock');
  const { signal } = new AbortController();
  let inside = 0;
  let most = 0;
  const task = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };
  await Promise.all([alone(file, signal, task), alone(file, signal, task)]);
  assert.equal(most, 1);
  await assert.rejects(fs.stat(file));
});

test('the lock of an editor that died is taken over, that of a living one is waited for until cancelled', async () => {
  const file = path.join(await folder(), 'lock');
  await fs.writeFile(file, '4194305');
  assert.equal(await alone(file, new AbortController().signal, () => Promise.resolve('done')), 'done');
  await fs.writeFile(file, String(process.pid));
  await assert.rejects(
    alone(file, AbortSignal.timeout(50), () => Promise.resolve('done')),
    { name: 'TimeoutError' },
  );
  assert.equal(await fs.readFile(file, 'utf8'), String(process.pid));
});

test('a failed installation gives the lock back', async () => {
  const file = path.join(await folder(), 'lock');
  const { signal } = new AbortController();
  await assert.rejects(alone(file, signal, () => Promise.reject(new Error('full'))));
  assert.equal(await alone(file, signal, () => Promise.resolve(1)), 1);
});

test('versions are compared by number; what cannot be read is not newer', () => {
  assert.ok(isNewer('0.10.0', '0.9.1'));
  assert.ok(!isNewer('0.1.0', '0.1.0'));
  assert.ok(!isNewer('0.1.0', '0.2.0'));
  assert.ok(!isNewer('dev', '0.1.0'));
});
