import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Diagnostic } from 'vscode';
import { reportsOf } from '../src/reports';

function diagnostic(line: number, severity: number, source?: string): Diagnostic {
  return { range: { start: { line } }, message: `message ${String(line)}`, severity, source } as unknown as Diagnostic;
}

test('errors come first, and severities count as in the protocol', () => {
  assert.deepEqual(reportsOf([diagnostic(3, 1, 'Pylance'), diagnostic(9, 0), diagnostic(2, 0, 'tsc')]), [
    { line: 2, message: 'message 2', severity: 1 },
    { line: 9, message: 'message 9', severity: 1 },
    { line: 3, message: 'message 3', severity: 2 },
  ]);
});

test('our own are left out, and a file full of them is cut', () => {
  assert.deepEqual(reportsOf([diagnostic(1, 0, 'dragoman')]), []);
  assert.equal(reportsOf(Array.from({ length: 500 }, (_, line) => diagnostic(line, 0))).length, 100);
});
