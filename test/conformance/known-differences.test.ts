import { expect, it } from 'vitest'
import { departure } from './known-differences.ts'

const known = { test: 'rains', does: 'stays dry', shows: 'no rain' }

it('skips a test that fails as it is known to', async () => {
  const run = () => Promise.reject(new Error('saw no rain at all'))
  expect(await departure(known, run)).toBe('the engine stays dry')
})

it('finds an entry whose test passes', async () => {
  await expect(departure(known, () => Promise.resolve())).rejects.toThrow('out of date')
})

it('does not let an entry hide another fault', async () => {
  const run = () => Promise.reject(new Error('there is no sky'))
  await expect(departure(known, run)).rejects.toThrow("not by 'no rain'")
})
