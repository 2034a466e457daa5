import { expect, it } from 'vitest'
import { makeSignalPatience } from '#shared/base/signal-patience.ts'

it('a signal that npm passes on is no impatience; one that comes later is', () => {
  let nowMs = 50
  const patience = makeSignalPatience(() => nowMs)
  expect([patience.isOver(), patience.isOver()]).toEqual([false, false])
  nowMs += 999
  expect(patience.isOver()).toBe(false)
  nowMs += 1
  expect(patience.isOver()).toBe(true)
})
