import type { Diagnostic } from 'vscode';

/** What is said of a line (from 0), as the server reads it; 1 is an error and 4 a hint. */
export interface Report {
  readonly line: number;
  readonly message: string;
  readonly severity: number;
}

const MOST = 100;

/** What other extensions report, the errors first and no more than the server keeps. */
export function reportsOf(diagnostics: readonly Diagnostic[]): Report[] {
  return (
    diagnostics
      .filter((one) => one.source !== 'dragoman')
      // The editor counts severities from 0, the protocol from 1.
      .map((one) => ({ line: one.range.start.line, message: one.message, severity: one.severity + 1 }))
      .sort((one, other) => one.severity - other.severity || one.line - other.line)
      .slice(0, MOST)
  );
}
