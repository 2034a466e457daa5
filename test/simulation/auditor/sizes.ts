/**
 * How large each pool, zone, type and image of the herd was at most in the last ten minutes.
 *
 * A brake's share is of the herd as a pass saw it, which may have shrunk since; the largest size in
 * the window is the reading that never blames a pass for what came after it.
 */
import { LIMITS } from '#shared/model/limits.ts'
import type { Node } from '#shared/model/node.ts'

export type Sizes = {
  /** A node came, went or became a machine. */
  move(before: Node | undefined, after: Node | undefined, atMs: number): void
  largest(scope: string, atMs: number): number
}

type Step = { readonly atMs: number; readonly size: number }

export function makeSizes(nodes: Iterable<Node>): Sizes {
  const steps = new Map<string, Step[]>()
  const add = (scope: string, by: 1 | -1, atMs: number): void => {
    const own = steps.get(scope) ?? []
    steps.set(scope, own)
    // A step that the next one follows outside the window says nothing any more.
    while ((own[1]?.atMs ?? Infinity) <= atMs - LIMITS.brakeWindowMs) own.shift()
    const last = own.at(-1)
    own.push({ atMs, size: (last?.size ?? 0) + by })
  }
  for (const node of nodes) for (const scope of scopesOf(node)) add(scope, 1, 0)
  return {
    move: (before, after, atMs) => {
      const [was, is] = [before, after].map((node) => (node === undefined ? [] : scopesOf(node)))
      for (const scope of is ?? []) if (!was?.includes(scope)) add(scope, 1, atMs)
      for (const scope of was ?? []) if (!is?.includes(scope)) add(scope, -1, atMs)
    },
    largest: (scope, atMs) => {
      const own = steps.get(scope) ?? []
      const sinceMs = atMs - LIMITS.brakeWindowMs
      const lasting = own.filter((_, i) => (own[i + 1]?.atMs ?? Infinity) > sinceMs)
      return Math.max(0, ...lasting.map(({ size }) => size))
    },
  }
}

export type Placed = {
  readonly pool: string
  readonly zone?: string
  readonly type?: string
  readonly image?: string | undefined
}

export function scopesOf({ pool, machine, adoptedAtMs }: Node): string[] {
  if (machine === undefined) return scopeNames({ pool })
  const { zone, instanceType: type, imageId } = machine
  // What was asked for is counted, and of strays only EC2 tells an image, by another name.
  const image = adoptedAtMs === undefined ? imageId : undefined
  return scopeNames({ pool, zone, type, image })
}

/** `pool p`, `zone z`, `type t`, `image i`: what a brake is counted over. */
export function scopeNames({ pool, zone, type, image }: Placed): string[] {
  return [
    `pool ${pool}`,
    ...(zone === undefined ? [] : [`zone ${zone}`]),
    ...(type === undefined ? [] : [`type ${type}`]),
    ...(image === undefined ? [] : [`image ${image}`]),
  ]
}
