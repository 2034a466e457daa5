import { describe, expect, it } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import { makeMemoryStore } from '#shared/store/memory-store.ts'
import { absent, equal, type Change } from '#shared/store/store.ts'
import { storeConformance } from '../conformance/store.ts'

storeConformance('the memory store', () =>
  Promise.resolve({ store: makeMemoryStore(), close: () => Promise.resolve() }),
)

const a = { pk: 'p', sk: 'a' }
const b = { pk: 'p', sk: 'b' }

function listen(store = makeMemoryStore()) {
  const changes: Change[] = []
  const stop = store.changes((change) => {
    changes.push(change)
  })
  return { store, changes, stop }
}

describe('the memory store’s stream', () => {
  it('tells each change with what was and what is', async () => {
    const { store, changes } = listen()
    await store.write({ kind: 'put', item: { ...a, n: 1 } })
    await store.update(a, { n: 2 })
    await store.write({ kind: 'delete', key: a })
    expect(changes).toEqual([
      { key: a, after: { ...a, n: 1 }, expired: false },
      { key: a, before: { ...a, n: 1 }, after: { ...a, n: 2 }, expired: false },
      { key: a, before: { ...a, n: 2 }, expired: false },
    ])
  })

  it('tells nothing of writes that change nothing or were rejected', async () => {
    const { store, changes } = listen()
    await store.write({ kind: 'put', item: { ...a, map: { x: 1, y: [2] } } })
    changes.length = 0
    await store.write({ kind: 'put', item: { ...a, map: { y: [2], x: 1 } } })
    await store.update(a, { map: { x: 1, y: [2] } })
    await store.write({ kind: 'put', item: a, when: [absent] })
    await store.write({ kind: 'delete', key: b })
    expect(changes).toEqual([])
  })

  it('tells a transaction’s changes once all of it stands', async () => {
    const store = makeMemoryStore()
    const seen: number[] = []
    store.changes(() => {
      seen.push(store.size())
    })
    await store.transact(
      [a, b].map((item) => ({ kind: 'put', item })),
      't',
    )
    expect(seen).toEqual([2, 2])
  })

  it('keeps the order for every listener when one of them writes', async () => {
    const { store, changes } = listen()
    store.changes(({ after }) => {
      if (after?.sk === 'a') void store.write({ kind: 'put', item: { pk: 'p', sk: 'from-a' } })
    })
    const late: string[] = []
    store.changes(({ key }) => {
      late.push(key.sk)
    })
    await store.transact(
      [a, b].map((item) => ({ kind: 'put', item })),
      't',
    )
    expect(late).toEqual(['a', 'b', 'from-a'])
    expect(changes.map(({ key }) => key.sk)).toEqual(late)
  })

  it('ends when the listener says so', async () => {
    const { store, changes, stop } = listen()
    stop()
    await store.write({ kind: 'put', item: a })
    expect(changes).toEqual([])
  })
})

describe('the memory store', () => {
  it('expires what is due and says that it was time', async () => {
    const { store, changes } = listen()
    await store.write({ kind: 'put', item: { ...a, ttl: 100 } })
    await store.write({ kind: 'put', item: { ...b, ttl: 101 } })
    await store.write({ kind: 'put', item: { pk: 'p', sk: 'c' } })
    changes.length = 0
    expect(store.expire(100_500)).toBe(1)
    expect(changes).toEqual([{ key: a, before: { ...a, ttl: 100 }, expired: true }])
    expect(store.size()).toBe(2)
  })

  it('hands out frozen items, and the very same ones', async () => {
    const store = makeMemoryStore()
    const map = { text: 'x'.repeat(1_000), inner: { n: 1 } }
    await store.write({ kind: 'put', item: { ...a, map } })
    const read = await store.get(a)
    expect(Object.isFrozen(read) && Object.isFrozen(read?.map)).toBe(true)
    expect(await store.get(a)).toBe(read)
    // A new item made of an old one shares what did not change.
    await store.write({ kind: 'put', item: { ...read, ...b } })
    expect((await store.get(b))?.map).toBe(read?.map)
  })

  it('forgets a token after ten minutes, and not before', async () => {
    let nowMs = 0
    const store = makeMemoryStore({ clock: { now: () => nowMs } })
    const add = () => store.transact([{ kind: 'put', item: a, when: [absent] }], 't')
    expect(await add()).toEqual({ applied: true })
    nowMs = LIMITS.transactionTokenMs - 1
    expect(await add()).toEqual({ applied: true })
    nowMs = LIMITS.transactionTokenMs
    expect(await add()).toMatchObject({ applied: false })
  })

  it('binds a token to its writes even when they were rejected', async () => {
    const store = makeMemoryStore()
    const send = (n: number) =>
      store.transact([{ kind: 'put', item: a, when: [equal('n', n)] }], 't')
    expect(await send(1)).toMatchObject({ applied: false })
    await expect(send(2)).rejects.toMatchObject({ code: 'IdempotentParameterMismatch' })
  })

  it('takes effect before it returns its promise', () => {
    const store = makeMemoryStore()
    void store.write({ kind: 'put', item: a })
    expect(store.size()).toBe(1)
  })

  it('refuses what JSON cannot say and DynamoDB would change', async () => {
    const store = makeMemoryStore()
    for (const odd of [new Date(0), new Set([1]), () => 1, 1n, Symbol('s'), 1e-200]) {
      const act = store.write({ kind: 'put', item: { ...a, odd } })
      await expect(act).rejects.toMatchObject({ code: 'StoreRefused' })
    }
    await expect(
      store.write({ kind: 'put', item: { ...a, map: { '': 1 } } }),
    ).rejects.toMatchObject({ code: 'StoreRefused' })
  })
})
