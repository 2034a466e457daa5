/**
 * How much room a file system has.
 */
import { statfs } from 'node:fs/promises'

/** Bytes of the file system that a directory is on; free is what anybody may have. */
export type Space = { readonly totalBytes: number; readonly freeBytes: number }

export async function spaceOf(directory: string): Promise<Space> {
  const { blocks, bavail, bsize } = await statfs(directory)
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
}

/** How full it is, in percent. */
export const percentUsed = ({ totalBytes, freeBytes }: Space): number =>
  100 * (1 - freeBytes / Math.max(1, totalBytes))
