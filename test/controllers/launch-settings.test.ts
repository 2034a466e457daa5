import { expect, test } from 'vitest'
import { requireJson } from '#shared/base/environment.ts'
import { launchSettingsSchema, type LaunchSettings } from '#shared/controllers/launch-settings.ts'

const good: LaunchSettings = {
  launchTemplates: {
    amd64: { id: 'lt-1', version: '3' },
    arm64: { id: 'lt-2', version: '1' },
    gpu: { id: 'lt-3', version: '12' },
  },
  subnets: { 'us-east-1a': 'subnet-1' },
}
const parse = (value: unknown): LaunchSettings =>
  requireJson({ DROVER_LAUNCH: JSON.stringify(value) }, 'DROVER_LAUNCH', (seen) =>
    launchSettingsSchema.parse(seen),
  )

test('reads what the stack writes', () => {
  expect(parse(good)).toEqual(good)
})

test.each<[string, unknown]>([
  [
    'a version that moves',
    {
      ...good,
      launchTemplates: { ...good.launchTemplates, gpu: { id: 'lt-3', version: '$Latest' } },
    },
  ],
  [
    'a template that is missing',
    { ...good, launchTemplates: { amd64: good.launchTemplates.amd64 } },
  ],
  ['no subnet', { ...good, subnets: {} }],
  ['a field nobody knows', { ...good, zone: 'us-east-1a' }],
])('refuses %s, naming the variable', (_, value) => {
  expect(() => parse(value)).toThrow('DROVER_LAUNCH')
})
