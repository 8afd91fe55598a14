import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Hunk, Span } from '../src/agents/protocol';
import { type Change, HunkBook, lineChange, move, withHunks } from '../src/edits/hunks';

const URI = 'file:///area.py';

function span(line: number, character: number, endLine: number, endCharacter: number): Span {
  return { start: { line, character }, end: { line: endLine, character: endCharacter } };
}

function hunk(id: string, range: Span, more: Partial<Hunk> = {}): Hunk {
  return { id, state: 'final', range, oldText: 'old\n', newText: 'new\n', ...more };
}

/** Makes changes that are all told as of before any was made. */
function edit(text: string, changes: readonly Change[]): string {
  const hunks = changes.map(({ range, text: newText }, at) => ({
    ...hunk(String(at), range, { newText }),
    runId: 'r',
    uri: URI,
  }));
  return withHunks(text, hunks);
}

function textAt(text: string, { start, end }: Span): string {
  const lines = text.split('\n').map((line) => `${line}\n`);
  const offset = (line: number, character: number) => lines.slice(0, line).join('').length + character;
  return text.slice(offset(start.line, start.character), offset(end.line, end.character));
}

test('a hunk moves with what is typed above, in one line and in many', () => {
  const book = new HunkBook();
  book.hear('r', URI, 1, hunk('a', span(4, 0, 6, 0)));
  book.documentChanged(URI, 2, [{ range: span(0, 0, 0, 0), text: '# one\n# two\n' }]);
  assert.deepEqual(book.get('r', 'a')?.range, span(6, 0, 8, 0));
  book.documentChanged(URI, 3, [{ range: span(1, 2, 4, 0), text: '' }]);
  assert.deepEqual(book.get('r', 'a')?.range, span(3, 0, 5, 0));
  book.documentChanged(URI, 4, [{ range: span(9, 0, 9, 0), text: 'below' }]);
  assert.deepEqual(book.get('r', 'a')?.range, span(3, 0, 5, 0));
});

test('what the server says of an older version is moved to the newest', () => {
  const book = new HunkBook();
  book.documentChanged(URI, 7, [{ range: span(0, 0, 0, 0), text: '\n' }]);
  book.documentChanged(URI, 8, [{ range: span(0, 0, 0, 0), text: '\n' }]);
  for (const [version, line] of [
    [6, 6],
    [7, 5],
    [8, 4],
  ] as const) {
    book.hear('r', URI, version, hunk('a', span(4, 0, 5, 0)));
    assert.deepEqual(book.get('r', 'a')?.range, span(line, 0, line + 1, 0), String(version));
  }
});

test('a range goes on to hold the same text, whatever is typed outside of it', () => {
  const text = Array.from({ length: 12 }, (_, line) => `line ${String(line)}`).join('\n');
  const places = [span(3, 0, 5, 0), span(3, 2, 3, 4), span(11, 0, 11, 7)];
  const changes: Change[][] = [
    [{ range: span(0, 0, 0, 0), text: 'x' }],
    [{ range: span(3, 0, 3, 0), text: 'a\nb' }],
    [{ range: span(2, 6, 3, 0), text: '' }],
    [{ range: span(0, 2, 2, 3), text: 'p\nq\nr\ns' }],
    [
      { range: span(8, 0, 9, 0), text: '' },
      { range: span(1, 1, 1, 1), text: '\n\n' },
    ],
  ];
  for (const place of places) {
    for (const change of changes) {
      assert.equal(textAt(edit(text, change), move(place, change)), textAt(text, place), JSON.stringify(change));
    }
  }
});

test('what is typed at the end of a range stays outside, and an empty one stays empty', () => {
  assert.deepEqual(move(span(1, 0, 2, 0), [{ range: span(2, 0, 2, 0), text: 'x' }]), span(1, 0, 2, 0));
  assert.deepEqual(move(span(1, 3, 1, 3), [{ range: span(1, 3, 1, 3), text: 'xy' }]), span(1, 5, 1, 5));
});

test('a hunk that was made, dropped or typed over is not open any more, and none is of another document', () => {
  for (const state of ['applied', 'rejected', 'conflict'] as const) {
    const book = new HunkBook();
    const range = span(1, 0, 2, 0);
    book.hear('r', URI, 1, hunk('a', range));
    book.hear('r', 'file:///b.py', 1, hunk('b', range));
    assert.equal(book.hear('r', URI, 1, hunk('a', range, { state }))?.state, state);
    assert.deepEqual(book.open(URI), []);
    assert.equal(book.open().length, 1);
    // Of one that nobody saw there is nothing to say.
    assert.equal(book.hear('r', URI, 1, hunk('never', range, { state })), undefined);
  }
});

test('several runs have hunks of the same name', () => {
  const book = new HunkBook();
  book.hear('one', URI, 1, hunk('a', span(9, 0, 9, 0)));
  book.hear('two', URI, 1, hunk('a', span(3, 0, 3, 0)));
  assert.deepEqual(
    book.open(URI).map((each) => each.runId),
    ['two', 'one'],
  );
  book.drop((each) => each.runId === 'one');
  assert.deepEqual(
    book.open(URI).map((each) => each.runId),
    ['two'],
  );
});

test('what is alike at both ends of a hunk neither goes nor comes', () => {
  const told = (oldText: string, newText: string) => lineChange({ range: span(10, 0, 20, 0), oldText, newText });
  assert.deepEqual(told('a\nb\nc\n', 'a\nB\nB2\nc\n'), { line: 11, removed: ['b'], added: ['B', 'B2'] });
  assert.deepEqual(told('', 'x\n\ny'), { line: 10, removed: [], added: ['x', '', 'y'] });
  assert.deepEqual(told('x\n', ''), { line: 10, removed: ['x'], added: [] });
  assert.deepEqual(told('a\r\nb\r\n', 'a\nb\n'), { line: 12, removed: [], added: [] });
});

test('only what the editor does not follow by itself is a revision', () => {
  const book = new HunkBook();
  const told = (version: number, line: number, newText: string) =>
    book.hear('r', URI, version, hunk('a', span(line, 0, line + 1, 0), { newText }));
  told(1, 4, 'n');
  const { revision } = book;
  told(1, 4, 'new');
  book.documentChanged(URI, 2, [{ range: span(0, 0, 0, 0), text: '\n' }]);
  told(1, 4, 'newer');
  told(2, 5, 'newest');
  assert.equal(book.revision, revision);
  told(2, 7, 'newest');
  assert.equal(book.revision, revision + 1);
  book.hear('r', URI, 2, hunk('a', span(7, 0, 8, 0), { state: 'applied' }));
  assert.equal(book.revision, revision + 2);
});
