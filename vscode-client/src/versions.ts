/** The oldest server this client works with. */
export const OLDEST_SERVER = '0.1.0';

/** Says what is wrong with the server's version, or nothing. A version that cannot be read is let through. */
export function objectToVersion(version: string | undefined): string | undefined {
  const found = version === undefined ? undefined : parse(version);
  const needed = parse(OLDEST_SERVER);
  if (!found || !needed || compare(found, needed) >= 0) {
    return undefined;
  }
  return `This extension needs the Dragoman server ${OLDEST_SERVER} or newer, and ${String(version)} was found. Update the server.`;
}

function parse(version: string): readonly [number, number, number] | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

function compare(left: readonly [number, number, number], right: readonly [number, number, number]): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
