import { makeMemoryFleet } from '#shared/cloud/memory-fleet.ts'
import { fleetInWorldConformance } from '#test/conformance/fleet-in-world.ts'
import { testWorld } from './world-kit.ts'

fleetInWorldConformance('memory', (options) => {
  const own = testWorld(options)
  const fleet = makeMemoryFleet(own.world, { pageSize: 5 })
  return Promise.resolve({ ...own, fleet, close: () => Promise.resolve() })
})
