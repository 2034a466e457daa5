import { afterEach, beforeEach, expect, it } from 'vitest'
import { historyKeys } from '#shared/store/keys.ts'
import { tellBurnIns } from './herd.ts'
import { drover, NOW_MS, startApi, type Api } from './kit.ts'

let api: Api
const GPUS = [1, 2].map((n) => `GPU-6ad2f1c4-0b1e-43ab-9c1d-00000000000${String(n)}`)
const tell = (id: string, state: 'certified' | 'rejected'): Promise<void> =>
  api.history
    .write({
      kind: 'put',
      item: {
        ...historyKeys.hardware(id),
        ...{ kind: 'hardware', id, state, suite: 'gpu-quick#4d5e6f70', node: 'gpu-6-2' },
        checks: [{ name: 'gpu-memory', verdict: state === 'rejected' ? 'FAIL' : 'PASS' }],
        text: state === 'rejected' ? 'row remap failure is Yes' : '',
        ...{ arn: 'arn:aws:ec2:us-east-1:0:instance/i-1', atMs: NOW_MS - 3_600_000 },
      },
    })
    .then(() => undefined)

beforeEach(async () => {
  api = await startApi()
  await tell(GPUS[0] ?? '', 'certified')
  await tell(GPUS[1] ?? '', 'rejected')
  await tellBurnIns(api, GPUS)
})
afterEach(async () => {
  await api.close()
})

const run = (line: string): Promise<string> => drover(line.split(' '), api.url)

it('tells what is known of a GPU', async () => {
  expect(await run(`hardware show ${String(GPUS[1])}`)).toMatchInlineSnapshot(`
    "Hardware:  GPU-6ad2f1c4-0b1e-43ab-9c1d-a-version-id
    State:     rejected 60m ago, in gpu-6-2
    Found:     row remap failure is Yes
    Suite:     gpu-quick
    Checks:    gpu-memory FAIL
    Refused:   yes: a machine with it is not even tested
    next: drover hardware clear GPU-6ad2f1c4-0b1e-43ab-9c1d-a-version-id
    [exit 0]"
  `)
  expect(await run(`hardware show ${String(GPUS[0])}`)).toMatchInlineSnapshot(`
    "Hardware:  GPU-6ad2f1c4-0b1e-43ab-9c1d-a-version-id
    State:     certified 60m ago, in gpu-6-2
    Suite:     gpu-quick
    Checks:    gpu-memory PASS
    Refused:   no
    [exit 0]"
  `)
  expect(await run('hardware show GPU-1')).toMatchInlineSnapshot(`
    "! error: there is no hardware "GPU-1"
    [exit 1]"
  `)
})

it('clears one by its id, or all that a node has failed with', async () => {
  expect(await run('hardware clear')).toMatchInlineSnapshot(`
    "! error: needs IDs or --node
    ! next: drover burn-in history shows what failed
    [exit 2]"
  `)
  expect(await run(`hardware clear ${String(GPUS[0])}`)).toMatchInlineSnapshot(`
    "GPU-6ad2f1c4-0b1e-43ab-9c1d-a-version-id is tested where it turns up
    [exit 0]"
  `)
  expect(await run('hardware clear --node gpu-6-2')).toMatchInlineSnapshot(`
    "GPU-6ad2f1c4-0b1e-43ab-9c1d-a-version-id is tested where it turns up
    [exit 0]"
  `)
  expect(await run('hardware clear --node gpu-6-2')).toMatchInlineSnapshot(`
    "! nothing on it was rejected
    [exit 0]"
  `)
})
