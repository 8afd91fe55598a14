import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, readStatus, shorten } from '../src/status';

const ready = {
  state: 'ready',
  sentence: 'Suggestions come as you type.',
  advice: undefined,
  model: '/models/Qwen2.5-Coder-0.5B-Instruct-Q4_K_M.gguf',
  provider: 'embedded',
  latencyMs: undefined,
  index: undefined,
} as const;

test('a ready server shows its model, and the tooltip the facts', () => {
  const face = describe('running', ready, 123.4, undefined);
  assert.equal(face.text, '$(sparkle) Qwen2.5-Coder-0.5B-Instruct…');
  assert.equal(face.severity, 'none');
  assert.deepEqual(face.facts, [
    ['Model', ready.model],
    ['Provider', 'embedded'],
    ['Suggestions take', '123 ms'],
  ]);
});

test("the server's own figure beats the measured one", () => {
  assert.deepEqual(describe('running', { ...ready, latencyMs: 7 }, 99, undefined).facts.at(-1), [
    'Suggestions take',
    '7 ms',
  ]);
});

test('each state has its own look', () => {
  const states = ['ready', 'busy', 'loading', 'no_model', 'problem', 'off'] as const;
  const texts = states.map(
    (state) => describe('running', { ...ready, state, model: undefined }, undefined, undefined).text,
  );
  assert.equal(new Set(texts).size, states.length);
  const clients = ['starting', 'restarting', 'stopped', 'missing', 'failed'] as const;
  const sentences = clients.map((state) => describe(state, undefined, undefined, undefined).sentence);
  assert.equal(new Set(sentences).size, clients.length);
});

test('without a server its last words do not count', () => {
  assert.deepEqual(describe('failed', ready, 5, undefined).facts, []);
  assert.equal(describe('failed', ready, 5, undefined).severity, 'error');
});

test('what is wrong and what to do about it stand together', () => {
  const status = { ...ready, state: 'problem', sentence: 'It hangs.', advice: 'Pull it.' } as const;
  const face = describe('running', status, undefined, 'Hidden.');
  assert.equal(face.sentence, 'It hangs. Pull it. Hidden.');
  assert.deepEqual(face.thoughts, ['It hangs.', 'Pull it.', 'Hidden.']);
});

test('an editor that hides ghost text is named beside what the server says', () => {
  assert.equal(describe('running', ready, undefined, 'Hidden.').sentence, 'Suggestions come as you type. Hidden.');
  assert.equal(describe('running', undefined, undefined, 'Hidden.').sentence, 'Hidden.');
});

test('a status that is no status is left out, and odd fields of one too', () => {
  for (const params of [null, 'ready', {}, { state: 'dancing' }, { state: 'toString' }]) {
    assert.equal(readStatus(params), undefined);
  }
  assert.deepEqual(readStatus({ state: 'ready', model: 7, latencyMs: 'soon' }), {
    state: 'ready',
    sentence: '',
    advice: undefined,
    model: undefined,
    provider: undefined,
    latencyMs: undefined,
    index: undefined,
  });
});

test('a model is shortened to what tells it apart', () => {
  assert.equal(shorten('C:\\models\\tiny.GGUF'), 'tiny');
  assert.equal(shorten('qwen2.5-coder:0.5b'), 'qwen2.5-coder:0.5b');
  assert.equal(shorten('x'.repeat(100)).length, 28);
});

test('how far the index is stands beside what the model does', () => {
  const status = readStatus({ state: 'ready', sentence: 'It completes.', index: 'Indexing the workspace: 40 %.' });
  assert.deepEqual(describe('running', status, undefined, 'Hidden.').thoughts, [
    'It completes.',
    'Indexing the workspace: 40 %.',
    'Hidden.',
  ]);
});
