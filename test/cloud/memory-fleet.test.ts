import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { fleetConformance } from '#test/conformance/fleet.ts'
import { testWorld } from './world-kit.ts'

fleetConformance('memory', (options) => {
  const { world, pass } = testWorld(options)
  return Promise.resolve({
    fleet: makeMemoryFleet(world, { pageSize: 5 }),
    world,
    pass,
    close: () => Promise.resolve(),
  })
})
