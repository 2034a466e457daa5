import { describe, expect, it } from 'vitest'
import { makeHerd } from './herd-kit.ts'

const WEB = { replicas: 3, resources: { cpu: '500m' } }

describe('the end of a pass', () => {
  it('sends its wakes before its news, and its news though no wake can be sent', async () => {
    const calls: string[] = []
    let isDeaf = false
    const herd = makeHerd({
      wrap: (ports) => ({
        ...ports,
        queue: {
          ...ports.queue,
          wakeLater: (...words) => {
            calls.push('wake')
            return isDeaf ? Promise.reject(new Error('SQS')) : ports.queue.wakeLater(...words)
          },
        },
        bus: {
          publish: (events) => {
            calls.push('news')
            return ports.bus.publish(events)
          },
        },
      }),
    })
    await herd.pool('general', { instances: { types: ['m7a.large'] } })
    await herd.workload('web', WEB)
    await herd.pass()
    expect(calls).toContain('wake')
    expect(calls.at(-1)).toBe('news')
    calls.length = 0
    isDeaf = true
    await herd.workload('api', WEB)
    await expect(herd.pass()).rejects.toThrow('SQS')
    expect(calls).toEqual(['wake', 'news'])
  })
})
