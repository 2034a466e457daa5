/**
 * Room below a pool's limit, where borrowers hold it on nodes that are themselves no use to whoever
 * is entitled: too small, of another sort, or in another zone.
 *
 * A limit counts machines, so whole nodes go: those on which all that runs is on loan. They are
 * drained, which keeps everybody else off them, and what they free below the limit is counted as
 * coming until they have ended.
 */
import { byKey, byText, descending, inOrder } from '../../base/order.ts'
import type { Node } from '../../model/node.ts'
import type { Reason } from '../../model/status.ts'
import type { Slot } from '../place/board.ts'
import type { Want } from '../place/fill.ts'
import type { Draft } from '../fold.ts'
import type { Offer } from '../provision/offers.ts'
import type { PoolBook } from '../provision/pool-limits.ts'
import type { Lack, Victim, VictimBook } from './victims.ts'

type LimitScene = {
  readonly draft: Draft
  readonly limits: Pick<PoolBook, 'allows' | 'wouldAllow' | 'shortFor'>
  readonly victims: VictimBook
  /** Open nodes, less what stops there anyway. */
  readonly slots: readonly Slot[]
  /** Nodes on which room is made for somebody to stay. */
  readonly isCleared: (node: string) => boolean
}

/** A node that ends, and whom it ends for. */
export type Emptied = {
  readonly node: Node
  readonly victims: readonly Victim[]
  readonly want: Want
}

export type LimitRoom = {
  /** Counts on room for one more replica of the want, and makes it where it is not coming yet. */
  make(want: Want, offers: readonly Offer[]): Reason | undefined
  /** The nodes that this pass empties. */
  readonly emptied: readonly Emptied[]
}

export function openLimitRoom(scene: LimitScene): LimitRoom {
  const { draft, limits, victims } = scene
  const gone = [...draft.nodes.values()].filter(isEnding)
  const bought: Offer[] = []
  const emptied: Emptied[] = []
  const free = (want: Want, offer: Offer): readonly Emptied[] | undefined => {
    const isEnough = (more: readonly Emptied[]): boolean =>
      limits.wouldAllow(offer, { gone: [...gone, ...more.map((own) => own.node)], bought })
    if (isEnough([])) return []
    const chosen: Emptied[] = []
    const lack = { want, lacked: limits.shortFor(offer) }
    for (const { slot, ...own } of endingFor(offer, lack, scene)) {
      // With those chosen before it their team may be within its quota.
      if (victims.chooseAll(slot, lack) === undefined) continue
      victims.take(own.victims)
      chosen.push(own)
      if (isEnough(chosen)) break
    }
    for (const own of chosen) own.victims.forEach(victims.letLive)
    if (!isEnough(chosen)) return undefined
    return chosen.reduceRight<readonly Emptied[]>((kept, own) => {
      const fewer = kept.filter((one) => one !== own)
      return isEnough(fewer) ? fewer : kept
    }, chosen)
  }
  return {
    emptied,
    make: (want, offers) => {
      for (const offer of smallestOfEach(offers.filter((own) => !limits.allows(own)))) {
        const nodes = free(want, offer)
        if (nodes === undefined) continue
        for (const own of nodes) victims.take(own.victims)
        emptied.push(...nodes)
        gone.push(...nodes.map((own) => own.node))
        bought.push(offer)
        const text = `others make room below the limit of pool ${offer.pool.name}`
        return { code: 'RoomComing', text }
      }
      return undefined
    },
  }
}

const isEnding = ({ drain, phase }: Node): boolean =>
  drain?.reason === 'Reclaimed' || phase === 'terminating'

/** Of every pool the offer that takes least of its limits. */
function smallestOfEach(offers: readonly Offer[]): readonly Offer[] {
  const least = new Map<string, Offer>()
  const sizeOf = ({ type, priceUsdPerHour }: Offer): number => type.vcpu + priceUsdPerHour
  for (const own of offers) {
    const known = least.get(own.pool.name)
    if (known === undefined || sizeOf(own) < sizeOf(known)) least.set(own.pool.name, own)
  }
  return [...least.values()].sort(byKey((own) => own.pool.name))
}

type Ending = Emptied & { readonly slot: Slot }

/** Nodes of the offer's pool that might end for the want, those to go first first. */
function endingFor(offer: Offer, lack: Lack, scene: LimitScene): readonly Ending[] {
  return scene.slots
    .flatMap((slot): readonly Ending[] => {
      const node = scene.draft.nodes.get(slot.node)
      if (node?.pool !== offer.pool.name || !slot.ready || scene.isCleared(slot.node)) return []
      const victims = scene.victims.chooseAll(slot, lack)
      return victims === undefined ? [] : [{ slot, node, victims, want: lack.want }]
    })
    .sort(
      inOrder(
        byKey((own) => own.victims.length),
        byKey((own) =>
          own.victims.reduce((sum, one) => sum + one.target.workload.spec.priority, 0),
        ),
        descending(byKey((own) => own.node.createdAtMs)),
        (a, b) => byText(a.node.name, b.node.name),
      ),
    )
}
