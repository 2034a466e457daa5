/**
 * Room for images: what nobody on this machine uses goes before another comes to a disk that fills.
 *
 * A node lives for days and gets an image with each roll-out, and nobody else tidies up there. What
 * a container was made of, also one that ended, stays, as does what was asked for just now; of the
 * rest the longest unused goes first, as far as this agent knows, and then the oldest.
 */
import { z } from 'zod'
import { describeError } from '#shared/base/errors.ts'
import type { Logger } from '#shared/base/log.ts'
import { byKey, inOrder } from '#shared/base/order.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { percentUsed, type Space } from '../space.ts'
import type { Engine } from './engine.ts'

export type ImageRoomOptions = {
  readonly engine: Engine
  readonly space: () => Promise<Space>
  /** Of a file system fuller than this; 100 for a machine whose images are not drover's. */
  readonly maxPercent: number
  readonly log: Logger
}

export type ImageRoom = {
  /** The image, by its id, is asked for. */
  use(id: string): void
  /** Lets go what it can where it must; never throws. */
  make(): Promise<void>
}

const imagesSchema = z.array(z.object({ Id: z.string(), Created: z.number() }))
const containersSchema = z.array(z.object({ ImageID: z.string() }))

export function openImageRoom(options: ImageRoomOptions): ImageRoom {
  const { engine, space, maxPercent, log } = options
  const usedAtMs = new Map<string, number>()

  const isOver = async (percent: number): Promise<boolean> => percentUsed(await space()) > percent
  const unused = async (): Promise<readonly string[]> => {
    const all = { query: { all: '1' } }
    const containers = containersSchema.parse(
      (await engine.ask('GET', '/containers/json', all)).body,
    )
    const images = imagesSchema.parse((await engine.ask('GET', '/images/json')).body)
    const inUse = new Set(containers.map((own) => own.ImageID))
    const soonMs = performance.now() - LIMITS.imageKeptMs
    return images
      .map(({ Id, Created }) => ({
        id: Id,
        created: Created,
        usedMs: usedAtMs.get(Id) ?? -Infinity,
      }))
      .filter(({ id, usedMs }) => !inUse.has(id) && usedMs < soonMs)
      .sort(
        inOrder(
          byKey((own) => own.usedMs),
          byKey((own) => own.created),
        ),
      )
      .map(({ id }) => id)
  }
  const letGo = async (id: string): Promise<void> => {
    // By all of its names. The engine refuses where a container of it runs by now.
    const call = { query: { force: '1' }, expect: [404, 409] }
    const { status } = await engine.ask('DELETE', `/images/${id}`, call)
    if (status >= 300) return
    usedAtMs.delete(id)
    log.info('an image that nobody uses was removed', { id })
  }
  return {
    use: (id) => {
      usedAtMs.set(id, performance.now())
    },
    make: async () => {
      try {
        if (maxPercent >= 100 || !(await isOver(maxPercent))) return
        const listedMs = performance.now()
        for (const id of await unused()) {
          // Asked for since the list was made.
          if ((usedAtMs.get(id) ?? -Infinity) > listedMs) continue
          await letGo(id)
          if (!(await isOver(maxPercent - LIMITS.imagesSparePercent))) return
        }
      } catch (error) {
        log.warn(`no room was made for images: ${describeError(error)}`)
      }
    },
  }
}
