/**
 * What each pass of reconcile that is under way has taken, read, heard and written.
 *
 * Rules judge a pass by what it could know: its own scan, its own listing, and what it has written
 * since. A pass is forgotten once it is over and every rule has heard so.
 */
import { targetKey, type TargetHealth } from '#shared/model/service.ts'
import type { Instance } from '#shared/cloud/fleet.ts'
import type { Pass } from '#shared/model/facts.ts'
import type { Node } from '#shared/model/node.ts'
import type { Caller, Seen, SeenOf, Truth } from '../traffic.ts'
import { kindOf, nodeOf, passOf } from './items.ts'
import { makeScan, type Scan } from './scan.ts'

export type OpenPass = {
  readonly by: Caller
  /** The fence it took last, as it wrote it. */
  readonly taken?: Pass
  /** Its newest scan. */
  readonly scan?: Scan
  readonly listing?: ReadonlyMap<string, Instance>
  readonly impaired: ReadonlySet<string>
  /** By target group, then by `targetKey`; those that it heard nothing of are missing. */
  readonly targets: ReadonlyMap<string, ReadonlyMap<string, TargetHealth>>
  /** Nodes it has written, by name; undefined for those it removed. */
  readonly written: ReadonlyMap<string, Node | undefined>
}

export type Passes = {
  of(by: Caller): OpenPass | undefined
  open(): Iterable<OpenPass>
  take(seen: Seen): void
  /** To be called once everybody has heard `seen`. */
  settle(seen: Seen): void
}

type Mutable = {
  by: Caller
  taken?: Pass
  scan?: Scan
  listing?: ReadonlyMap<string, Instance>
  impaired: Set<string>
  targets: Map<string, ReadonlyMap<string, TargetHealth>>
  written: Map<string, Node | undefined>
}

export function makePasses({ quotaPolicy: policy }: Pick<Truth, 'quotaPolicy'>): Passes {
  const passes = new Map<string, Mutable>()
  const passOfCaller = (by: Caller): Mutable | undefined => {
    if (by.role !== 'reconcile') return undefined
    const known = passes.get(by.label)
    if (known !== undefined) return known
    const fresh: Mutable = {
      ...{ by, impaired: new Set(), targets: new Map(), written: new Map() },
    }
    passes.set(by.label, fresh)
    return fresh
  }
  return {
    of: (by) => passes.get(by.label),
    open: () => passes.values(),
    take: (seen) => {
      if (seen.kind === 'process') return
      const pass = passOfCaller(seen.by)
      if (pass === undefined) return
      if (seen.kind === 'scan') pass.scan = makeScan({ ...seen, policy })
      else if (seen.kind === 'list') {
        pass.listing = new Map(seen.instances.map((own) => [own.instanceId, own]))
      } else if (seen.kind === 'targets') {
        const told = seen.targets.map((own) => [targetKey(own), own] as const)
        pass.targets.set(seen.targetGroupArn, new Map(told))
      } else if (seen.kind === 'impaired') {
        for (const id of seen.instanceIds) pass.impaired.add(id)
      } else if (seen.kind === 'write') takeWrite(pass, seen)
    },
    settle: (seen) => {
      if (seen.kind === 'over') passes.delete(seen.by.label)
    },
  }
}

function takeWrite(pass: Mutable, { changes }: SeenOf<'write'>): void {
  for (const { key, before, after } of changes) {
    const kind = kindOf(key)
    if (kind === 'node') pass.written.set(key.sk, nodeOf(after))
    if (kind !== 'pass') continue
    const fence = passOf(after)
    const isNew = fence !== undefined && fence.epoch > (passOf(before)?.epoch ?? 0)
    if (isNew) pass.taken = fence
  }
}
