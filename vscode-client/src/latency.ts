const KEPT = 20;

/** Remembers how long the last suggestions took. */
export class Latency {
  private readonly samples: number[] = [];

  add(milliseconds: number): void {
    this.samples.push(milliseconds);
    if (this.samples.length > KEPT) {
      this.samples.shift();
    }
  }

  /** The median of the last suggestions in milliseconds. */
  get median(): number | undefined {
    return this.samples.toSorted((left, right) => left - right)[this.samples.length >> 1];
  }
}
