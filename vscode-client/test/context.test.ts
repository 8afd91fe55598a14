import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findPlaces, readContext, renderContext, renderNothing, type SentContext } from '../src/contextMarkdown';

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
function read(changes: object): SentContext {
  const sent = readContext({ ...answer, ...changes });
  assert.ok(sent);
  return sent;
}

const PAGE = `# What the model read

\`coder\` (local) read about 40 tokens for \`shop/cart one.py:9\`, 13 of them from 2 other files.
It runs on this machine: nothing of this left it.

## \`shop/prices.py:3\`

Imported · 12 tokens

\`\`\`python
class Prices
\`\`\`

## \`main\`

Changed · 1 token

\`\`\`
+ one
\`\`\`

## \`shop/cart one.py:1\`

Before · 20 tokens

\`\`\`python
x = 1
\`\`\`

## \`shop/cart one.py:9\`

Behind · 7 tokens

_(nothing)_

`;

test('each part has its place, its reason, its tokens and its text', () => {
  assert.equal(renderContext(read({})), PAGE);
});

test('the places of a page can be opened, and nothing that only looks like one', () => {
  const lines = PAGE.split('\n');
  const places = findPlaces(PAGE, read({}));
  assert.deepEqual(
    places.map(({ row, start, end }) => lines[row]?.slice(start, end)),
    ['shop/cart one.py:9', 'shop/prices.py:3', 'shop/cart one.py:1', 'shop/cart one.py:9'],
  );
  assert.deepEqual(
    places.map(({ path, line }) => [path, line]),
    [
      ['shop/cart one.py', 9],
      ['shop/prices.py', 3],
      ['shop/cart one.py', 1],
      ['shop/cart one.py', 9],
    ],
  );
  assert.deepEqual(findPlaces('\n## `elsewhere.py:1`\nx for `a.py:1`, \n', read({})), []);
});

test('what left this machine is said, and what did not', () => {
  assert.match(renderContext(read({ local: false, secrets: 2 })), /another machine\*\*. 2 secrets stayed here/);
  assert.match(renderContext(read({ local: false, secrets: 0 })), /No secrets were found/);
  assert.match(renderContext(read({ local: false })), /`security.redact` is off/);
  assert.match(renderContext(read({ late: true })), /was late/);
  assert.match(renderContext(read({ parts: answer.parts.slice(2) })), /all from the file itself/);
});

test('a text cannot leave its fence, nor a name its heading', () => {
  const parts = [{ source: 'similar', path: 'a_`b`*.md', line: 1, text: 'one\n````\n# two', tokens: 1, why: 'near' }];
  const page = renderContext(read({ parts }));
  assert.match(page, /\n`````markdown\none\n````\n# two\n`````\n/);
  assert.match(page, /\n## `a_b\*.md:1`\n/);
  assert.equal(findPlaces(page, read({ parts }))[1]?.path, 'a_`b`*.md');
});

test('an answer that is none, and odd fields of one, do no harm', () => {
  for (const odd of [undefined, null, 7, [], {}, { uri: 7, parts: [] }, { uri: 'a', parts: 'b' }]) {
    assert.equal(readContext(odd), undefined);
  }
  const sent = readContext({ uri: 'file:///a.py', parts: [7, { source: 1, tokens: 'x' }] });
  assert.ok(sent);
  assert.equal(sent.parts.length, 1);
  assert.match(renderContext(sent), /^The model read about 0 tokens for `a.py:1`/m);
});

test('a sentence of the server is shown as it is', () => {
  const sentence = "No model was asked for 'a_b.py' yet.";
  assert.equal(renderNothing(sentence), `# What the model read\n\n${sentence}\n`);
});
