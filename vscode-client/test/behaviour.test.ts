import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CrashCounter } from '../src/crashes';
import { Latency } from '../src/latency';
import { readLogLine } from '../src/logs';
import { collectSettings, type Inspected } from '../src/settings';
import { objectToVersion, OLDEST_SERVER } from '../src/versions';

test('each crash waits longer, and the fourth within three minutes is the last', () => {
  const crashes = new CrashCounter();
  const waits = [0, 1000, 2000].map((now) => crashes.record(now));
  assert.deepEqual(waits, [
    { restart: true, waitMilliseconds: 250 },
    { restart: true, waitMilliseconds: 1000 },
    { restart: true, waitMilliseconds: 4000 },
  ]);
  assert.deepEqual(crashes.record(3000), { restart: false, crashes: 4 });
});

test('old crashes are forgotten, and all when the user restarts', () => {
  const crashes = new CrashCounter();
  for (let now = 0; now < 20 * 60_000; now += 70_000) {
    assert.equal(crashes.record(now).restart, true);
  }
  for (const now of [1, 2, 3]) {
    crashes.record(20 * 60_000 + now);
  }
  crashes.forget();
  assert.equal(crashes.record(20 * 60_000 + 4).restart, true);
});

test('latency is the median of the last twenty', () => {
  const latency = new Latency();
  assert.equal(latency.median, undefined);
  for (const sample of [...Array<number>(20).fill(9000), ...Array<number>(19).fill(10), 8000]) {
    latency.add(sample);
  }
  assert.equal(latency.median, 10);
});

test('only what was set is sent, nested, and nothing that concerns this side alone', () => {
  const values: Record<string, [unknown, Inspected]> = {
    'completion.enabled': [false, { globalValue: false }],
    'completion.debounce_ms': ['adaptive', {}],
    'completion.languages.exclude': [['markdown'], { workspaceValue: ['markdown'] }],
    'server.command': ['/bin/dragoman', { globalValue: '/bin/dragoman' }],
    'trace.server': ['verbose', { globalValue: 'verbose' }],
  };
  const configuration = { get: (key: string) => values[key]?.[0], inspect: (key: string) => values[key]?.[1] };
  assert.deepEqual(collectSettings(Object.keys(values), configuration), {
    completion: { enabled: false, languages: { exclude: ['markdown'] } },
  });
});

test('a server that is too old is named with both versions; one that says nothing passes', () => {
  assert.match(objectToVersion('0.0.9') ?? '', new RegExp(`${OLDEST_SERVER}.*0\\.0\\.9`));
  for (const version of [undefined, 'unknown', OLDEST_SERVER, '0.10.0', '1.0', 'v2.0.0rc1']) {
    assert.equal(objectToVersion(version), undefined);
  }
});

test('a line of the log keeps its level and its details', () => {
  assert.deepEqual(readLogLine('{"@timestamp":"…","log.level":"warning","message":"slow","ms":7}'), {
    level: 'warn',
    text: 'slow ms=7',
  });
  assert.deepEqual(readLogLine('{"level":"error","event":"gone"}'), { level: 'error', text: 'gone' });
  assert.deepEqual(readLogLine('plain words'), { level: 'info', text: 'plain words' });
  assert.deepEqual(readLogLine('[warning  ] careful'), { level: 'warn', text: '[warning  ] careful' });
  assert.deepEqual(readLogLine('{broken'), { level: 'info', text: '{broken' });
});
