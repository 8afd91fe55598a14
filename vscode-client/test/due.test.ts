import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeDue, isKnown, preview, readDue } from '../src/due';

const answer = {
  uri: 'file:///project/a%20b.py',
  version: 3,
  range: { start: { line: 4, character: 1 }, end: { line: 4, character: 6 } },
  oldText: 'width',
  newText: 'breadth',
  label: 'replace `width` by `breadth`',
  reason: 'rename',
  count: 2,
};

test('an answer is read, and nothing or nonsense is nothing', () => {
  const due = readDue(answer);
  assert.equal(due?.newText, 'breadth');
  assert.equal(due?.count, 2);
  for (const bad of [null, undefined, 3, 'x', {}, { ...answer, range: { start: {} } }, { ...answer, version: '3' }]) {
    assert.equal(readDue(bad), undefined);
  }
});

test('a place without a new text is told from a change', () => {
  const due = readDue({ ...answer, oldText: '', newText: '' });
  assert.ok(due);
  assert.equal(isKnown(due), false);
});

test('the status bar names the file only when it is another one', () => {
  const due = readDue(answer);
  assert.ok(due);
  assert.equal(describeDue(due, answer.uri), 'Next edit: line 5');
  assert.equal(describeDue(due, undefined), 'Next edit: a b.py, line 5');
});

test('a new text of several lines is drawn on one', () => {
  assert.equal(preview('a,\n    b'), 'a, ⏎ b');
  assert.equal(preview('x'.repeat(200)).length, 120);
});
