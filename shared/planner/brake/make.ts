/**
 * The make of a machine: what machines of a pool have in common before anybody has looked at them.
 *
 * Hardware fails one by one; an image that lacks a driver, or a suite that asks too much, fails
 * every machine that gets it. So failures are counted by pool, image and suite, and whoever changes
 * one of these has another make, about which nothing bad is known yet.
 */
import { suiteOf } from '../../model/burn-in.ts'
import { imageSortOf } from '../../model/launch.ts'
import type { InstanceType } from '../../model/machine.ts'
import type { Machine, Node } from '../../model/node.ts'
import type { PoolItem } from '../../model/spec-item.ts'
import type { PlanSettings } from '../snapshot.ts'

export type Make = {
  readonly pool: string
  readonly imageId?: string | undefined
  readonly suite: string
}

/** Phases of a machine that has not passed yet. */
export const COMING: readonly string[] = ['launching', 'booting', 'testing']

export function makeKey({ pool, imageId = '', suite }: Make): string {
  return `${pool} ${imageId} ${suite}`
}

/** The make of a machine that is there; what it is asked in short counts as the whole. */
export function makeOfMachine(
  { pool, burnIn }: Pick<Node, 'pool' | 'burnIn'>,
  machine: Machine,
  spec: PoolItem | undefined,
): Make {
  const suite = burnIn?.whole ?? burnIn?.suite ?? suiteOf(spec?.spec.burnIn, machine).name
  return { pool, imageId: machine.imageId, suite }
}

/** The make of a machine that is still to be bought. */
export function makeOfType(
  { name, spec }: PoolItem,
  type: InstanceType,
  { images }: Pick<PlanSettings, 'images'>,
): Make {
  const imageId = spec.launch.ami ?? images?.[imageSortOf(type)]
  return { pool: name, imageId, suite: suiteOf(spec.burnIn, type).name }
}

/** `image ami-1 and suite basic#1a2b3c4d` */
export function describeMake({ imageId, suite }: Make): string {
  return imageId === undefined ? `suite ${suite}` : `image ${imageId} and suite ${suite}`
}
