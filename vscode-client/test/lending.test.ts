import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countTokens, readModels, toMessages, toTools } from '../src/agents/lending';

test('parts of a message become one text, and a call is told apart from its result', () => {
  const asked = [
    { role: 3, content: [{ value: 'Be brief.' }] },
    { role: 1, content: [{ value: 'Weather' }, { value: ' in Oslo?' }] },
    { role: 2, content: [{ value: 'Let me see.' }, { callId: 'c1', name: 'weather', input: { town: 'Oslo' } }] },
    { role: 1, content: [{ callId: 'c1', content: [{ value: 'rain' }, { value: { degrees: 4 } }] }] },
  ];
  assert.deepEqual(toMessages(asked), [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Weather in Oslo?' },
    {
      role: 'assistant',
      content: 'Let me see.',
      toolCalls: [{ id: 'c1', name: 'weather', arguments: '{"town":"Oslo"}' }],
    },
    { role: 'tool', content: 'rain\n{"degrees":4}', toolCallId: 'c1' },
  ]);
});

test('what a tool found comes before what is said with it', () => {
  const asked = [{ role: 1, content: [{ value: 'And now?' }, { callId: 'c1', content: ['rain'] }] }];
  assert.deepEqual(
    toMessages(asked).map((one) => [one.role, one.content]),
    [
      ['tool', 'rain'],
      ['user', 'And now?'],
    ],
  );
});

test('pictures go along, texts as data are read, other data is left out', () => {
  const data = new Uint8Array([1, 2, 3]);
  const [message] = toMessages([
    {
      role: 1,
      content: [
        { mimeType: 'image/png', data },
        { mimeType: 'application/json', data: new TextEncoder().encode('{}') },
        { mimeType: 'audio/wav', data },
      ],
    },
  ]);
  assert.deepEqual(message, { role: 'user', content: '{}', images: [{ mediaType: 'image/png', data: 'AQID' }] });
});

test('odd lists are no models and no tools', () => {
  assert.deepEqual(readModels(undefined), []);
  assert.deepEqual(readModels({ models: [{ title: 'x' }] }), []);
  assert.deepEqual(toTools(undefined), []);
  assert.deepEqual(toTools([{ description: 'nameless' }, { name: 'a', inputSchema: { type: 'object' } }]), [
    { name: 'a', description: '', parameters: { type: 'object' } },
  ]);
});

test('tokens of a message are those of all it says', () => {
  assert.equal(countTokens('x'.repeat(35)), 10);
  assert.ok(countTokens({ role: 1, content: [{ value: 'x'.repeat(70) }] }) >= 20);
});
