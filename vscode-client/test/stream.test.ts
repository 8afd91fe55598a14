import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderMarkdown } from '../src/webview/markdown';
import { BlockCutter, type Step } from '../src/webview/stream';

const TEXT = [
  '# Title',
  '',
  'A paragraph',
  'of two lines.',
  '',
  '1. one',
  '',
  '2. two',
  '   ```sh',
  '   ls',
  '',
  '   cd',
  '   ```',
  '',
  '```python title="x"',
  'def f():',
  '',
  '    return """```"""',
  '```',
  'Behind.',
  '~~~~',
  '~~~',
  '~~~~',
  '| a | b |',
  '|---|---|',
  '| 1 | 2 |',
].join('\n');

/** What stands there in the end: blocks drawn once, code as it grew. */
function drawn(pieces: readonly string[]): string[] {
  const cutter = new BlockCutter();
  const all: string[] = [];
  const take = (step: Step) => {
    if (step.kind === 'block') {
      all.push(step.text.trimEnd());
    } else if (step.kind === 'code') {
      all.push(`[${step.language}]`);
    } else if (step.kind === 'more') {
      all.push(`${all.pop() ?? ''}${step.text}`);
    }
  };
  pieces.forEach((piece) => cutter.push(piece).forEach(take));
  cutter.finish().forEach(take);
  return all;
}

const WHOLE = [
  '# Title',
  'A paragraph\nof two lines.',
  '1. one\n\n2. two\n   ```sh\n   ls\n\n   cd\n   ```',
  '[python]def f():\n\n    return """```"""\n',
  'Behind.',
  '[]~~~\n',
  '| a | b |\n|---|---|\n| 1 | 2 |',
];

test('a text has the same blocks however it is cut into pieces', () => {
  assert.deepEqual(drawn([TEXT]), WHOLE);
  for (const size of [1, 2, 3, 5, 7, 11, 50]) {
    const pieces = Array.from({ length: Math.ceil(TEXT.length / size) }, (_, at) =>
      TEXT.slice(at * size, (at + 1) * size),
    );
    assert.deepEqual(drawn(pieces), WHOLE, `in pieces of ${String(size)}`);
  }
});

test('code grows line by line and is never drawn again; a fence does not flash as text', () => {
  const cutter = new BlockCutter();
  assert.deepEqual(cutter.push('``'), [{ kind: 'open', text: '' }]);
  assert.deepEqual(cutter.push('`py\nx'), [{ kind: 'code', language: 'py' }]);
  assert.deepEqual(cutter.push(' = 1\ny'), [{ kind: 'more', text: 'x = 1\n' }]);
  assert.deepEqual(cutter.finish(), [{ kind: 'more', text: 'y\n' }, { kind: 'codeEnd' }]);
});

test('what is drawn again is the newest block only', () => {
  const cutter = new BlockCutter();
  let most = 0;
  for (let paragraph = 0; paragraph < 200; paragraph += 1) {
    for (const step of cutter.push(`Paragraph ${String(paragraph)} of many.\n\n`)) {
      most = Math.max(most, step.kind === 'open' ? step.text.length : 0);
    }
  }
  assert.ok(most < 60, String(most));
});

test('no HTML of a model comes through, no picture is loaded, and no link runs anything', () => {
  const html = renderMarkdown(
    '<script>alert(1)</script> ![x](https://a.example/?q=1) [y](javascript:alert(1)) <img src=x onerror=y>\n\n<div onclick="z">',
  );
  assert.doesNotMatch(html, /<(?:script|img|div)|href="javascript/);
  assert.match(renderMarkdown('[a](https://a.example)'), /<a href="https:\/\/a.example">a<\/a>/);
});
