import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excludesOf } from '../src/excludes';

test('what is hidden whatever else is true is passed on, once', () => {
  assert.deepEqual(
    excludesOf(
      { '**/.git': true, '**/shown': false, '**/*.js': { when: '$(basename).ts' } },
      { '**/node_modules': true, '**/.git': true },
      undefined,
    ),
    ['**/.git', '**/node_modules'],
  );
});
