/** The oldest server this client works with. */
export const OLDEST_SERVER = '0.1.0';

/** Says what is wrong with the server's version, or nothing. A version that cannot be read is let through. */
export function objectToVersion(version: string | undefined): string | undefined {
  if (version === undefined || !isNewer(OLDEST_SERVER, version)) {
    return undefined;
  }
  return `This extension needs the Dragoman server ${OLDEST_SERVER} or newer, and ${version} was found. Update the server.`;
}

/** Whether a version is newer than another; not when one of them cannot be read. */
export function isNewer(version: string, other: string): boolean {
  const left = parse(version);
  const right = parse(other);
  return left !== undefined && right !== undefined && compare(left, right) > 0;
}

function parse(version: string): readonly [number, number, number] | undefined {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

function compare(left: readonly [number, number, number], right: readonly [number, number, number]): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
