import { expect, test } from 'vitest'
import { parseWakeMessage, tickBody } from '#shared/protocol/wake-message.ts'

test('reads drover’s own wakes and the tick', () => {
  expect(parseWakeMessage('{"reason":"spec","sentAtMs":5}')).toEqual({
    reason: 'spec',
    sentAtMs: 5,
  })
  const tick = JSON.stringify(tickBody('2026-11-22T10:00:00Z'))
  expect(parseWakeMessage(tick)).toEqual({
    reason: 'tick',
    sentAtMs: Date.UTC(2026, 10, 22, 10),
  })
})

test.each(['', 'no json', '7', '{}', '{"reason":"x"}', '{"reason":"x","sentAt":"soon"}'])(
  'takes %j for a wake of no known time',
  (body) => {
    expect(parseWakeMessage(body)).toEqual({ reason: 'unreadable' })
  },
)
