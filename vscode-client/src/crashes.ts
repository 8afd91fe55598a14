/** What to do after the server ended by itself. */
export type Verdict =
  { readonly restart: true; readonly waitMilliseconds: number } | { readonly restart: false; readonly crashes: number };

const WINDOW_MILLISECONDS = 3 * 60_000;
const MOST_CRASHES = 4;
const FIRST_WAIT_MILLISECONDS = 250;

/** Counts crashes: each restart within the window waits longer, and after the fourth crash there is none. */
export class CrashCounter {
  private times: number[] = [];

  record(now: number): Verdict {
    this.times = this.times.filter((time) => now - time < WINDOW_MILLISECONDS);
    this.times.push(now);
    if (this.times.length >= MOST_CRASHES) {
      return { restart: false, crashes: this.times.length };
    }
    return { restart: true, waitMilliseconds: FIRST_WAIT_MILLISECONDS * 4 ** (this.times.length - 1) };
  }

  forget(): void {
    this.times = [];
  }
}
