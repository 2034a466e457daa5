/** The unmodified SDK client against the emulated EC2's wire. */
import { beforeAll } from 'vitest'
import { startEc2Server } from '#local/ec2/server.ts'
import { makeEc2Fleet } from '#shared/cloud/aws/ec2-fleet.ts'
import { testWorld } from '#test/cloud/world-kit.ts'
import { fleetInWorldConformance } from '#test/conformance/fleet-in-world.ts'

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = 'local'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'local'
})

fleetInWorldConformance('AWS over the wire', async (worldOptions) => {
  const own = testWorld(worldOptions)
  const server = await startEc2Server({ world: own.world, clock: own.clock })
  const options = { region: 'us-east-1', endpoint: server.url, attempts: 1, pageItems: 5 }
  return { ...own, fleet: makeEc2Fleet(options), close: () => server.close() }
})
