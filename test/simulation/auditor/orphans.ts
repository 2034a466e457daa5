/**
 * Instances without a claim, and claims without an instance.
 *
 * Everything that lives and carries this table's tag is named by a node, or by the tag of a launch
 * that is still open. While things go wrong there may be strays for a while; half an hour after
 * the last trouble there is none, unless a brake is letting them go one at a time.
 */
import { LIMITS } from '#shared/model/limits.ts'
import { launchTag, TAGS } from '#shared/model/launch.ts'
import { keys } from '#shared/store/keys.ts'
import type { Ec2Instance } from '#shared/cloud/memory-ec2/types.ts'
import { brakeOf, passOf } from './items.ts'
import type { Breach, Knowledge, Rule } from './rule.ts'

const STRAY_MS = 1_800_000

export function makeOrphans({ truth, books }: Knowledge): Rule {
  const tableUid = (): string | undefined => passOf(truth.get(keys.pass()))?.tableUid

  const strays = (): readonly Ec2Instance[] => {
    const uid = tableUid()
    const open = new Set([...books.launches.values()].map(launchTag))
    return truth
      .instances()
      .filter(
        ({ state, tags, instanceId }) =>
          (state === 'pending' || state === 'running') &&
          tags[TAGS.table] === uid &&
          books.nodeOfInstance(instanceId) === undefined &&
          !open.has(tags[TAGS.launch] ?? ''),
      )
  }
  /** A brake that has let something of the pool go lately may be holding this one back. */
  const isBraked = ({ tags }: Ec2Instance): boolean => {
    const brake = brakeOf(truth.get(keys.brake(tags[TAGS.pool] ?? '')))
    const sinceMs = truth.nowMs() - 2 * LIMITS.brakeWindowMs
    return brake?.condemned.some((own) => own.atMs > sinceMs) ?? false
  }
  return {
    full: (): Breach | undefined => {
      const calmMs = truth.nowMs() - truth.lastDisturbanceAtMs()
      if (calmMs < STRAY_MS) return undefined
      const left = strays().find(
        (own) => truth.nowMs() - own.launchedAtMs > STRAY_MS && !isBraked(own),
      )
      if (left === undefined) return undefined
      const ageMs = truth.nowMs() - left.launchedAtMs
      const minutes = String(Math.round(ageMs / 60_000))
      const launch = left.tags[TAGS.launch] ?? ''
      const text = `${left.instanceId} (launch ${launch}) lives for ${minutes} min without a node`
      return { rule: '4 orphans', text }
    },
    unsettled: () => [
      ...strays().map(
        (own) => `instance ${own.instanceId} lives, and no node names it (${own.instanceType})`,
      ),
      ...[...books.nodes.values()]
        .filter((node) => node.machine === undefined && !books.launches.has(node.launchId))
        .map((node) => `claim ${node.name} is there, and its launch ${node.launchId} is not`),
    ],
  }
}
