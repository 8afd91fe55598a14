import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readContext, renderContext, renderNothing, type SentContext } from '../src/contextMarkdown';

const answer = {
  uri: 'file:///w/shop/cart%20one.py',
  model: 'coder',
  provider: 'local',
  local: true,
  line: 8,
  character: 3,
  tokens: 40,
  late: false,
  parts: [
    { source: 'imports', path: 'shop/prices.py', line: 3, text: 'class Prices', tokens: 12, score: 1, why: 'imported' },
    { source: 'git_diff', path: 'main', line: 0, text: '+ one', tokens: 1, score: 1, why: 'changed' },
    { source: 'prefix', path: 'shop/cart one.py', line: 1, text: '\n\nx = 1\n', tokens: 20, score: 1, why: 'before' },
    { source: 'suffix', path: 'shop/cart one.py', line: 9, text: '\n', tokens: 7, score: 1, why: 'behind' },
  ],
};
const link = (path: string, line: number): string | undefined =>
  path === 'main' ? undefined : `file:///w/${encodeURI(path)}${line > 0 ? `#L${String(line)}` : ''}`;

function read(changes: object): SentContext {
  const sent = readContext({ ...answer, ...changes });
  assert.ok(sent);
  return sent;
}

test('each part has its place, its reason, its tokens and its text', () => {
  assert.equal(
    renderContext(read({}), link),
    [
      '# What the model read',
      '`coder` (local) read about **40 tokens** for [shop/cart one.py:9](<file:///w/shop/cart%20one.py#L9>), 13 of them from 2 other places.',
      'It runs on this machine: nothing of this left it.',
      '## [shop/prices.py:3](<file:///w/shop/prices.py#L3>)',
      'Imported · 12 tokens',
      '```python\nclass Prices\n```',
      '## main',
      'Changed · 1 token',
      '```\n+ one\n```',
      '## [shop/cart one.py:1](<file:///w/shop/cart%20one.py#L1>)',
      'Before · 20 tokens',
      '```python\nx = 1\n```',
      '## [shop/cart one.py:9](<file:///w/shop/cart%20one.py#L9>)',
      'Behind · 7 tokens',
      '_(nothing)_',
      '',
    ].join('\n\n'),
  );
});

test('what left this machine is said, and what did not', () => {
  assert.match(renderContext(read({ local: false, secrets: 2 }), link), /another machine.\*\* 2 secrets stayed here/);
  assert.match(renderContext(read({ local: false, secrets: 0 }), link), /No secrets were found/);
  assert.match(renderContext(read({ local: false }), link), /`security.redact` is off/);
  assert.match(renderContext(read({ late: true }), link), /was late/);
  assert.match(renderContext(read({ parts: answer.parts.slice(2) }), link), /all of them from the file itself/);
});

test('a text cannot leave its fence, nor a name its heading', () => {
  const parts = [{ source: 'similar', path: 'a_*b*.md', line: 1, text: 'one\n````\n# two', tokens: 1, why: '<b>' }];
  const page = renderContext(read({ parts }), () => undefined);
  assert.match(page, /\n`````markdown\none\n````\n# two\n`````\n/);
  assert.match(page, /\n## a\\_\\\*b\\\*.md:1\n/);
  assert.match(page, /\n\\<b\\> · 1 token\n/);
});

test('an answer that is none, and odd fields of one, do no harm', () => {
  for (const odd of [undefined, null, 7, [], {}, { uri: 7, parts: [] }, { uri: 'a', parts: 'b' }]) {
    assert.equal(readContext(odd), undefined);
  }
  const sent = readContext({ uri: 'file:///a.py', parts: [7, { source: 1, tokens: 'x' }] });
  assert.ok(sent);
  assert.equal(sent.parts.length, 1);
  assert.match(
    renderContext(sent, () => undefined),
    /The model read about \*\*0 tokens\*\* for a.py:1/,
  );
});

test('a sentence of the server is shown as it is', () => {
  assert.equal(
    renderNothing("No model was asked for 'a_b.py' yet."),
    "# What the model read\n\nNo model was asked for 'a\\_b.py' yet.\n",
  );
});
