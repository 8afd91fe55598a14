import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineNumbers, readRunEvent, type RunEvent, type RunNews } from '../src/agents/protocol';
import { fileMention, globFor, mentionOf, rankPaths, specialMentions, symbolMention } from '../src/chat/mentions';
import { readWish } from '../src/chat/messages';
import { attachAnswer, describeArguments, takeApart, Transcript, writeOut } from '../src/chat/transcript';

const CALL = { callId: 'c1', tool: 'run_command', arguments: { argv: ['make', 'test'] } };

function talk(...news: RunNews[]): Transcript {
  const transcript = new Transcript();
  transcript.ask('Does it pass?');
  transcript.runId = 'r';
  news.forEach((each, at) => transcript.hear({ runId: 'r', seq: at + 1, ...each }));
  return transcript;
}

test('text that streams is one item, and is told piece by piece', () => {
  const transcript = new Transcript();
  transcript.ask('Why?');
  const hear = (text: string) => transcript.hear({ runId: 'r', seq: 1, type: 'text', text });
  assert.equal(hear('Be')[0]?.type, 'item');
  assert.deepEqual(hear('cause'), [{ type: 'append', id: transcript.items[1]?.id, text: 'cause' }]);
  assert.deepEqual(hear(''), []);
  assert.equal(transcript.items.length, 2);
  transcript.hear({ runId: 'r', seq: 4, type: 'finished', output: 'Because' });
  assert.deepEqual({ ...transcript.items[1], id: '' }, { kind: 'text', id: '', text: 'Because', open: false });
  assert.equal(transcript.running, false);
});

test('an answer that did not stream is shown at its end', () => {
  const transcript = talk({ type: 'finished', output: 'Yes.' });
  assert.equal((transcript.items[1] as { text: string }).text, 'Yes.');
});

test('a call asks, is allowed and has its result, in one row; text goes on below it', () => {
  const transcript = talk(
    { type: 'text', text: 'I will see.' },
    { type: 'tool_call', ...CALL },
    { type: 'approval_required', ...CALL, summary: 'run make test', diff: '' },
  );
  const row = () => transcript.items[2] as { state: string; summary: string; result: string; argument: string };
  assert.equal(row().state, 'asking');
  assert.equal(row().argument, 'make test');
  assert.ok(transcript.decide('c1', true));
  assert.equal(transcript.decide('c1', false), undefined, 'only once');
  assert.equal(row().state, 'running');
  transcript.hear({ runId: 'r', seq: 4, type: 'tool_result', callId: 'c1', tool: 'x', result: 'ok', failed: false });
  transcript.hear({ runId: 'r', seq: 5, type: 'text', text: 'It passes.' });
  assert.deepEqual(
    transcript.items.map((item) => item.kind),
    ['user', 'text', 'tool', 'text'],
  );
  assert.deepEqual([row().state, row().result, row().summary], ['done', 'ok', 'run make test']);
});

test('a denied call stays denied, whatever its result says', () => {
  const transcript = talk(
    { type: 'tool_call', ...CALL },
    { type: 'approval_required', ...CALL, summary: '', diff: '' },
  );
  transcript.decide('c1', false);
  transcript.hear({ runId: 'r', seq: 3, type: 'tool_result', callId: 'c1', tool: 'x', result: 'no', failed: true });
  assert.equal((transcript.items[1] as { state: string }).state, 'denied');
});

test('the end of a run leaves no question open', () => {
  for (const last of [{ type: 'cancelled' }, { type: 'failed', error: 'The model broke off.' }] as const) {
    const transcript = talk({ type: 'approval_required', ...CALL, summary: '', diff: '' }, last);
    assert.equal((transcript.items[1] as { state: string }).state, 'stopped');
    assert.equal(transcript.items[2]?.kind, 'notice');
    assert.equal(transcript.running, false);
    assert.equal(transcript.decide('c1', true), undefined);
  }
});

test('a conversation that was kept shows what the user wrote and names what was attached', () => {
  const sent = 'Why?\n\nAttached, a.py:\n```\nx\n\ny\n```\n\nAttached, diff:\n````\n```\n````';
  assert.deepEqual(takeApart(sent), { text: 'Why?', attached: ['a.py', 'diff'] });
  const transcript = Transcript.of([
    { role: 'user', content: sent },
    { role: 'assistant', content: 'So.' },
  ]);
  assert.deepEqual(
    transcript.items.map((item) => ('text' in item ? item.text : '')),
    ['Why?', 'So.'],
  );
  assert.equal(transcript.running, false);
});

test('a question after an answer that is no conversation takes it along, and shows it by name only', () => {
  const answer = talk({ type: 'finished', output: 'See:\n````\nx\n````' }).lastAnswer();
  const sent = attachAnswer('Why?', answer);
  assert.match(sent, /`{5}\nSee:/);
  assert.deepEqual(takeApart(sent), { text: 'Why?', attached: ['your answer before'] });
  assert.equal(attachAnswer('Why?', new Transcript().lastAnswer()), 'Why?');
});

test('lines are counted as a person counts them', () => {
  const lines = (start: number, end: number, character: number) =>
    lineNumbers({ start: { line: start, character: 0 }, end: { line: end, character } });
  assert.deepEqual([lines(0, 0, 3), lines(0, 2, 0), lines(0, 2, 1), lines(4, 5, 0)], ['1', '1–2', '1–3', '5']);
});

test('arguments stand on one line', () => {
  assert.equal(describeArguments({ path: 'a b.py' }), 'a b.py');
  assert.equal(describeArguments({ name: 'a', line: 3 }), 'name: a, line: 3');
  assert.equal(describeArguments({ content: 'b\nc\n', path: 'a.py' }), 'a.py');
  assert.equal(writeOut({ content: 'b\nc\n', path: 'a.py' }), 'content:\nb\nc\npath: a.py');
  assert.equal(writeOut({ path: 'a.py' }), '');
  assert.equal(writeOut({ argv: ['make', 'x'.repeat(300)] }).length, 'argv: make '.length + 300);
  assert.equal(describeArguments({ text: 'a\n  b' }), 'a b');
  assert.equal(describeArguments(undefined), '');
  assert.equal(describeArguments({ text: 'x'.repeat(999) }).length, 200);
});

test('events that lack a part are not heard, nor those of later versions', () => {
  const text: RunEvent = { runId: 'r', seq: 1, type: 'text', text: 'x' };
  assert.deepEqual(readRunEvent({ ...text, more: 1 }), text);
  const bad = [
    undefined,
    'text',
    { ...text, runId: 1 },
    { ...text, type: 'later' },
    { runId: 'r', seq: 1, type: 'tool_call', tool: 'x' },
    { runId: 'r', seq: 1, type: 'edit', uri: 'file:///a', hunk: { id: 'a', state: 'odd' } },
    { runId: 'r', seq: 1, type: 'edit', uri: 'file:///a', hunk: { id: 'a', state: 'final', range: {} } },
  ];
  for (const each of bad) {
    assert.equal(readRunEvent(each), undefined, JSON.stringify(each));
  }
});

test('the page is believed nothing that is not whole', () => {
  const approve = { type: 'approve', runId: 'r', callId: 'c', allow: true, remember: 'run' };
  assert.deepEqual(readWish(approve), approve);
  assert.deepEqual(readWish({ type: 'stop', more: 1 }), { type: 'stop' });
  const bad = [
    null,
    'stop',
    { type: 'send', text: '  ', agent: 'a' },
    { type: 'send', text: 'x'.repeat(1_000_001), agent: 'a' },
    { ...approve, allow: 'yes' },
    { ...approve, remember: 'forever' },
    { type: 'insert', code: 7 },
    { type: 'suggest', query: 'a' },
    { type: 'eval' },
  ];
  for (const each of bad) {
    assert.equal(readWish(each), undefined, JSON.stringify(each)?.slice(0, 80));
  }
});

test('mentions: the name first, paths with blanks in quotes, a symbol with its file', () => {
  const paths = ['lib/area/x.py', 'area.py', 'my area.md', 'other.py'];
  assert.deepEqual(rankPaths(paths, 'area'), ['area.py', 'my area.md', 'lib/area/x.py']);
  assert.equal(mentionOf('a/b-c.py'), '@a/b-c.py');
  assert.equal(fileMention('my notes/a b.md').insert, '@"my notes/a b.md"');
  assert.equal(symbolMention({ name: 'Cart', path: 'shop/cart.py' }).insert, '`Cart` (@shop/cart.py)');
  assert.deepEqual(
    specialMentions('di').map((one) => one.insert),
    ['@diff', '@diagnostics'],
  );
  assert.equal(globFor('a]'), '**/*[aA]?*');
});
