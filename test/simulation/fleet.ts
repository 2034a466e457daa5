/**
 * EC2 on a bad day: calls that are throttled, and calls that work and whose answers nobody hears.
 */
import { FleetError } from '#shared/cloud/fleet-error.ts'
import type { Fleet, TerminateOutcome } from '#shared/cloud/fleet.ts'
import type { Faults } from './faults.ts'

const THROTTLED = 'RequestLimitExceeded'

type Luck = {
  readonly faults: Faults
  /** Whether its lists leave the machine out for now. */
  readonly isUnlisted: (instanceId: string) => boolean
}

export function makeUnluckyFleet(fleet: Fleet, { faults, isUnlisted }: Luck): Fleet {
  let n = 0
  const fate = (method: string): 'throttled' | 'lost' | 'heard' => {
    n += 1
    const name = `${method} ${String(n)}`
    if (faults.strikes('throttled', name)) return 'throttled'
    return faults.strikes('answersLost', name) ? 'lost' : 'heard'
  }
  const unheard = (text: string): never => {
    throw new FleetError({ text, next: 'ask again on the next pass' })
  }
  const looked = async <T>(method: string, look: () => Promise<T>): Promise<T> => {
    const luck = fate(method)
    if (luck !== 'heard') return unheard(luck === 'throttled' ? THROTTLED : 'the answer was lost')
    return look()
  }
  const failed = (instanceIds: readonly string[], text: string): TerminateOutcome => ({
    ...{ terminating: [], notFound: [] },
    failed: instanceIds.map((instanceId) => ({ instanceId, text })),
  })
  return {
    launch: (request) => {
      const luck = fate('launch')
      if (luck === 'throttled') {
        const text = 'Request limit exceeded.'
        return Promise.resolve({ outcome: 'refused', code: THROTTLED, text, retryable: true })
      }
      const made = fleet.launch(request)
      return luck === 'heard' ? made : Promise.resolve({ outcome: 'unknown', text: 'no answer' })
    },
    terminate: (instanceIds) => {
      const luck = fate('terminate')
      if (luck === 'throttled') return Promise.resolve(failed(instanceIds, THROTTLED))
      const made = fleet.terminate(instanceIds)
      return luck === 'heard' ? made : Promise.resolve(failed(instanceIds, 'the answer was lost'))
    },
    reboot: (instanceIds) => {
      const luck = fate('reboot')
      if (luck === 'throttled') return Promise.resolve(failed(instanceIds, THROTTLED))
      const made = fleet.reboot(instanceIds)
      return luck === 'heard' ? made : Promise.resolve(failed(instanceIds, 'the answer was lost'))
    },
    list: (tableUid) =>
      looked('list', async () => {
        const whole = await fleet.list(tableUid)
        return whole.filter(
          ({ instanceId }) =>
            !isUnlisted(instanceId) &&
            !faults.strikes('unlisted', `${instanceId} call ${String(n)}`),
        )
      }),
    describe: (instanceIds) => looked('describe', () => fleet.describe(instanceIds)),
    impaired: (instanceIds) => looked('impaired', () => fleet.impaired(instanceIds)),
  }
}
