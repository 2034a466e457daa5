/**
 * The `disk` check: write a pattern that no two places share, read it back, compare every byte.
 *
 * Where the file system allows it the reading bypasses the page cache (O_DIRECT into page-aligned
 * memory), because memory would vouch for anything; where not, the measures say so (`readDirect:
 * 0`). Other bytes than were written are FAIL; a file that cannot be written or read at all is
 * INFRA.
 */
import { constants } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { couldNot, found, type Finding } from '../../checks/finding.ts'

const CHUNK_BYTES = 1_048_576

export type DiskCheckOptions = {
  /** The file to write; removed afterwards. */
  readonly path: string
  readonly corrupted: boolean
  readonly mib: number
  readonly timeoutSeconds: number
}

/** Never throws. */
export async function checkDisk(options: DiskCheckOptions): Promise<Finding> {
  const { path, mib, corrupted, timeoutSeconds } = options
  const deadlineMs = performance.now() + timeoutSeconds * 1000
  // A new seed each time: what an earlier check left on the disk must not pass for this one's.
  const seed = Math.floor(Math.random() * 2 ** 32)
  const job = { path, mib, seed, deadlineMs }
  try {
    const writeSeconds = await writePattern(job)
    if (corrupted) await flipOneBit(path, mib)
    const read = await readPattern(job)
    const measures = {
      testedMib: mib,
      writeMibPerSecond: rate(mib, writeSeconds),
      readMibPerSecond: rate(mib, read.seconds),
      readDirect: read.direct ? 1 : 0,
    }
    if (read.wrongAtByte === undefined) return found('PASS', '', measures)
    const which = `byte ${String(read.wrongAtByte)} of ${String(mib)} MiB`
    return found('FAIL', `${which} read back differs from what was written`, measures)
  } catch (error) {
    return couldNot(error)
  } finally {
    await rm(path, { force: true }).catch(() => undefined)
  }
}

type Job = { path: string; mib: number; seed: number; deadlineMs: number }

async function writePattern(job: Job): Promise<number> {
  const startMs = performance.now()
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const file = await open(job.path, 'w')
  try {
    for (let index = 0; index < job.mib; index += 1) {
      inTime(job)
      fillPattern(chunk, job.seed + index)
      await writeAll(file, chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return (performance.now() - startMs) / 1000
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  let done = 0
  while (done < chunk.length) done += (await file.write(chunk, done)).bytesWritten
}

async function readPattern(
  job: Job,
): Promise<{ seconds: number; direct: boolean; wrongAtByte?: number }> {
  const startMs = performance.now()
  const seconds = (): number => (performance.now() - startMs) / 1000
  const seen = pageAligned(CHUNK_BYTES)
  const wanted = Buffer.alloc(CHUNK_BYTES)
  const { file, direct } = await openForReading(job.path, seen)
  try {
    for (let index = 0; index < job.mib; index += 1) {
      inTime(job)
      const { bytesRead } = await file.read(seen, 0, CHUNK_BYTES, index * CHUNK_BYTES)
      fillPattern(wanted, job.seed + index)
      if (bytesRead === CHUNK_BYTES && seen.equals(wanted)) continue
      const at = seen.findIndex((byte, position) => byte !== wanted[position])
      return { seconds: seconds(), direct, wrongAtByte: index * CHUNK_BYTES + Math.max(0, at) }
    }
    return { seconds: seconds(), direct }
  } finally {
    await file.close()
  }
}

type MemoryConstructor = new (size: { initial: number }) => { readonly buffer: ArrayBuffer }

/** WebAssembly's memory begins on a page, which O_DIRECT asks for and Buffer does not promise. */
function pageAligned(bytes: number): Buffer {
  const { Memory } = Reflect.get(globalThis, 'WebAssembly') as { Memory: MemoryConstructor }
  return Buffer.from(new Memory({ initial: bytes / 65_536 }).buffer)
}

/** Past the page cache where that works, tried with a real read, else through it. */
async function openForReading(
  path: string,
  buffer: Buffer,
): Promise<{ file: FileHandle; direct: boolean }> {
  if (process.platform === 'linux') {
    const direct = await open(path, constants.O_RDONLY | constants.O_DIRECT).catch(() => undefined)
    try {
      await direct?.read(buffer, 0, CHUNK_BYTES, 0)
      if (direct !== undefined) return { file: direct, direct: true }
    } catch {
      // Some file systems open so and then refuse to read: the ordinary way judges them.
      await direct?.close()
    }
  }
  return { file: await open(path, 'r'), direct: false }
}

/** A stream of xorshift32 words: cheap, and different in every chunk. */
function fillPattern(chunk: Buffer, seed: number): void {
  const words = new Uint32Array(chunk.buffer, chunk.byteOffset, chunk.length / 4)
  let word = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0 || 1
  for (let index = 0; index < words.length; index += 1) {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    words[index] = word
  }
}

async function flipOneBit(path: string, mib: number): Promise<void> {
  const at = Math.floor(mib / 2) * CHUNK_BYTES + 4_321
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    await file.write(Buffer.from([byte.readUInt8(0) ^ 0x10]), 0, 1, at)
    await file.sync()
  } finally {
    await file.close()
  }
}

function inTime(job: Job): void {
  if (performance.now() > job.deadlineMs) throw new Error('the disk did not finish in time')
}

function rate(mib: number, seconds: number): number {
  return Math.round((mib / Math.max(seconds, 0.001)) * 10) / 10
}
