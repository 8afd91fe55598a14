import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toMarkdown } from '../src/markdown';

test('commands and addresses are code, and an address ends where it ends', () => {
  assert.equal(
    toMarkdown("The provider 'own' at http://127.0.0.1:11434/v1 is slow. Run `dragoman doctor`."),
    "The provider 'own' at `http://127.0.0.1:11434/v1` is slow. Run `dragoman doctor`.",
  );
  assert.equal(toMarkdown('See https://example.org/a.'), 'See `https://example.org/a`.');
});

test('what the server says is text, whatever it looks like', () => {
  assert.equal(toMarkdown('Set *a_b* to [x](y) & <b>.'), 'Set \\*a\\_b\\* to \\[x\\]\\(y\\) &amp; &lt;b\\>.');
  assert.equal(toMarkdown('# one\n- two'), '\\# one \\- two');
});
