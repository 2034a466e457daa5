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
  expect(fittingPage(items, 'c')).toEqual({ items: items.slice(0, 1), next: 'a' })
  expect(fittingPage([{ name: 'a' }], undefined)).toEqual({ items: [{ name: 'a' }] })
})
