import { expect, it } from 'vitest'
import { fitting, fittingPage } from '#shared/controllers/admin-api/answer-size.ts'
import { LIMITS } from '#shared/model/limits.ts'

it('an answer ends with the last item that fits, and has one at least', () => {
  const items = ['aaaa', 'bbbb', 'cccc']
  // Two quotes, each escaped, and a comma.
  const bytes = JSON.stringify(JSON.stringify('aaaa')).length + 1
  expect(fitting(items, 3 * bytes)).toEqual(items)
  expect(fitting(items, 3 * bytes - 1)).toEqual(['aaaa', 'bbbb'])
  expect(fitting(items, 1)).toEqual(['aaaa'])
  expect(fitting([], 1)).toEqual([])
})

it('a page that is cut says where to go on', () => {
  const large = 'x'.repeat(LIMITS.answerMaxBytes / 2)
  const items = ['a', 'b', 'c'].map((name) => ({ name, large }))
  const byName = (own: { readonly name: string }): string => own.name
  expect(fittingPage({ items, next: 'c' }, byName)).toEqual({ items: items.slice(0, 1), next: 'a' })
  const short = [{ name: 'a' }]
  expect(fittingPage({ items: short, next: undefined }, byName)).toEqual({ items: short })
  expect(fittingPage({ items: [], next: 'c' }, byName)).toEqual({ items: [], next: 'c' })
})
