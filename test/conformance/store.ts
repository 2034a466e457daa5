/**
 * What every store does, whatever is under it: run for the memory store and for the DynamoDB store
 * on a real engine.
 *
 * Where the engine of local mode, dynoxide 1.2, is known to differ from DynamoDB:
 *
 * | matter                              | DynamoDB                 | dynoxide                    |
 * |-------------------------------------|--------------------------|-----------------------------|
 * | two transactions touching one item  | a TransactionConflict    | they queue, no conflict     |
 * | ConsistentRead                      | eventual unless asked    | always consistent           |
 * | stream                              | many shards that split   | one, never closed           |
 * | EndingSequenceNumber of open shard  | absent                   | present, and wrong          |
 * | a write that changes nothing        | no stream record         | a MODIFY, images equal      |
 * | stream ARN in DescribeStream        | must exist               | echoed, whatever it is      |
 * | time to live                        | expires within days      | set, never carried out      |
 * | start key outside the key condition | ValidationException      | taken as a position         |
 * | token of a rejected transaction     | not documented           | free for other writes       |
 *
 * The suite therefore claims nothing about conflicts, the stream or expiry; the stores' own tests
 * do.
 */
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { LIMITS } from '#shared/model/limits.ts'
import {
  absent,
  below,
  equal,
  present,
  type Condition,
  type Item,
  type Store,
  type Write,
} from '#shared/store/store.ts'
import { itMinding, type KnownDifference } from './known-differences.ts'

export type StoreUnderTest = { store: Store; close(): Promise<void> }

const rejected = (index: number) => ({ applied: false, index, reason: 'condition' })
const applied = { applied: true }
const bySk = (items: readonly Item[]) => items.map(({ sk }) => sk).sort()
const put = (item: Item, ...when: Condition[]): Write => ({ kind: 'put', item, when })

/** Every test works in a partition of its own, so one table serves them all. */
export function storeConformance(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  known: readonly KnownDifference[] = [],
): void {
  describe(`${name} is a store`, () => {
    const it = itMinding(known)
    let store: Store
    let close: () => Promise<void>
    let pk: string
    let count = 0
    const token = () => `t-${String(count)}-${String((tokens += 1))}`
    let tokens = 0

    beforeAll(async () => {
      ;({ store, close } = await makeStore())
    })
    afterAll(() => close())
    const test = (text: string, run: () => Promise<void>) => {
      it(text, async () => {
        pk = `p${String((count += 1))}`
        await run()
      })
    }
    const fill = async (...sks: string[]) => {
      for (const sk of sks) await store.write({ kind: 'put', item: { pk, sk } })
    }
    const refuses = async (act: () => Promise<unknown>) => {
      await expect(act()).rejects.toMatchObject({ code: 'StoreRefused' })
    }

    describe('get and put', () => {
      test('an absent item is undefined', async () => {
        expect(await store.get({ pk, sk: 'a' })).toBeUndefined()
        expect(await store.get({ pk, sk: 'a' }, { eventual: true })).toBeUndefined()
      })
      test('gives back every kind of JSON value', async () => {
        const item = {
          pk,
          sk: 'a',
          text: 'naïve ✓ 🐂',
          empty: '',
          numbers: [0, -1, 1.5, 0.1 + 0.2, 1e15, 1_795_367_758_530, -2.5e-7],
          yes: true,
          no: false,
          nothing: null,
          list: [1, 'two', [3], { four: 4 }],
          map: { deep: { deeper: {} }, 'odd key #1': 1 },
        }
        expect(await store.write(put(item))).toEqual(applied)
        expect(await store.get({ pk, sk: 'a' })).toEqual(item)
        expect(await store.get({ pk, sk: 'a' }, { eventual: true })).toEqual(item)
      })
      test('drops what is undefined, at any depth', async () => {
        const map = { gone: undefined, kept: 1 }
        await store.write(put({ pk, sk: 'a', gone: undefined, map, list: [1, undefined, 2] }))
        const read = await store.get({ pk, sk: 'a' })
        expect(read).toStrictEqual({ pk, sk: 'a', map: { kept: 1 }, list: [1, 2] })
      })
      test('a put replaces the whole item', async () => {
        await store.write(put({ pk, sk: 'a', old: 1 }))
        await store.write(put({ pk, sk: 'a', fresh: 2 }))
        expect(await store.get({ pk, sk: 'a' })).toEqual({ pk, sk: 'a', fresh: 2 })
      })
      test('later changes of what was written or read do not reach the table', async () => {
        const item = { pk, sk: 'a', map: { list: [1] } }
        await store.write(put(item))
        item.map.list.push(2)
        const read = await store.get({ pk, sk: 'a' })
        try {
          ;(read as unknown as typeof item).map.list.push(3)
        } catch {
          // A store may hand out frozen items.
        }
        expect(await store.get({ pk, sk: 'a' })).toEqual({ pk, sk: 'a', map: { list: [1] } })
      })
      test('a delete removes; deleting what is absent is applied too', async () => {
        await fill('a')
        expect(await store.write({ kind: 'delete', key: { pk, sk: 'a' } })).toEqual(applied)
        expect(await store.get({ pk, sk: 'a' })).toBeUndefined()
        expect(await store.write({ kind: 'delete', key: { pk, sk: 'a' } })).toEqual(applied)
      })
    })

    describe('conditions', () => {
      const item = () => ({ pk, sk: 'a', n: 5, text: 'x', yes: true })
      type Row = readonly [Condition, onItem: boolean, onNone: boolean]
      const rows: readonly Row[] = [
        [absent, false, true],
        [present, true, false],
        [equal('n', 5), true, false],
        [equal('n', 6), false, false],
        [equal('text', 'x'), true, false],
        [equal('text', 'y'), false, false],
        [equal('yes', true), true, false],
        [equal('yes', false), false, false],
        [equal('n', '5'), false, false],
        [equal('missing', 1), false, false],
        [below('n', 6), true, true],
        [below('n', 5), false, true],
        [below('missing', 1), true, true],
        [below('text', 100), false, true],
      ]
      for (const [condition, onItem, onNone] of rows) {
        const text = JSON.stringify(condition)
        test(`${text} on an item: ${String(onItem)}; on none: ${String(onNone)}`, async () => {
          await store.write(put(item()))
          const hit = await store.write({ kind: 'put', item: item(), when: [condition] })
          expect(hit).toEqual(onItem ? applied : rejected(0))
          const none = await store.write(put({ pk, sk: 'none' }, condition))
          expect(none).toEqual(onNone ? applied : rejected(0))
        })
      }
      test('all of several must hold', async () => {
        await store.write(put(item()))
        const both = (n: number) => store.write(put(item(), present, equal('n', n)))
        expect(await both(5)).toEqual(applied)
        expect(await both(4)).toEqual(rejected(0))
      })
      test('a field may bear a reserved or odd name', async () => {
        await store.write(put({ pk, sk: 'a', status: 'ok', 'a.b#c': 1 }))
        const when = [equal('status', 'ok'), below('a.b#c', 2)]
        expect(await store.write({ kind: 'delete', key: { pk, sk: 'a' }, when })).toEqual(applied)
      })
      test('a rejected write changes nothing', async () => {
        await store.write(put(item()))
        await store.write(put({ pk, sk: 'a', n: 9 }, absent))
        await store.write({ kind: 'delete', key: { pk, sk: 'a' }, when: [equal('n', 1)] })
        await store.update({ pk, sk: 'a' }, { n: 9 }, [equal('n', 1)])
        expect(await store.get({ pk, sk: 'a' })).toEqual(item())
      })
      test('a single check answers and writes nothing', async () => {
        const check = (when: Condition[]) =>
          store.write({ kind: 'check', key: { pk, sk: 'a' }, when })
        expect(await check([absent])).toEqual(applied)
        expect(await check([present])).toEqual(rejected(0))
        expect(await store.get({ pk, sk: 'a' })).toBeUndefined()
      })
      test('a check of nothing is refused', () =>
        refuses(() => store.write({ kind: 'check', key: { pk, sk: 'a' }, when: [] })))
    })

    describe('update', () => {
      test('sets and removes fields and keeps the others', async () => {
        await store.write(put({ pk, sk: 'a', keep: 1, change: 1, remove: 1 }))
        const fields = { change: { to: [2] }, remove: undefined, add: 'new', status: 'reserved' }
        expect(await store.update({ pk, sk: 'a' }, fields)).toEqual(applied)
        const after = { pk, sk: 'a', keep: 1, change: { to: [2] }, add: 'new', status: 'reserved' }
        expect(await store.get({ pk, sk: 'a' })).toStrictEqual(after)
      })
      test('creates the item where there is none', async () => {
        await store.update({ pk, sk: 'a' }, { n: 1 })
        await store.update({ pk, sk: 'b' }, { n: undefined })
        await store.update({ pk, sk: 'c' }, {})
        expect((await store.query(pk)).items).toEqual([
          { pk, sk: 'a', n: 1 },
          { pk, sk: 'b' },
          { pk, sk: 'c' },
        ])
      })
      test('holds to its conditions', async () => {
        expect(await store.update({ pk, sk: 'a' }, { n: 1 }, [present])).toEqual(rejected(0))
        expect(await store.update({ pk, sk: 'a' }, { n: 1 }, [below('n', 1)])).toEqual(applied)
        expect(await store.update({ pk, sk: 'a' }, { n: 2 }, [below('n', 1)])).toEqual(rejected(0))
        expect(await store.update({ pk, sk: 'a' }, { n: 2 }, [equal('n', 1)])).toEqual(applied)
        expect(await store.get({ pk, sk: 'a' })).toEqual({ pk, sk: 'a', n: 2 })
      })
      test('cannot change a key', () => refuses(() => store.update({ pk, sk: 'a' }, { sk: 'b' })))
    })

    describe('getMany', () => {
      test('finds what there is, each once, beyond one batch', async () => {
        const sks = Array.from({ length: 120 }, (_, n) => String(n).padStart(3, '0'))
        await store.transact(
          sks.slice(0, 100).map((sk) => put({ pk, sk })),
          token(),
        )
        await store.transact(
          sks.slice(100).map((sk) => put({ pk, sk })),
          token(),
        )
        const keys = ['none', '007', ...sks].map((sk) => ({ pk, sk }))
        expect(bySk(await store.getMany(keys))).toEqual(sks)
      })
      test('of nothing is nothing', async () => {
        expect(await store.getMany([])).toEqual([])
      })
      test('takes items for keys', async () => {
        await fill('a')
        const item = (await store.get({ pk, sk: 'a' }))!
        expect(await store.getMany([item, { pk, sk: 'b', n: 1 } as Item])).toEqual([item])
      })
    })

    describe('query', () => {
      const read = async (range?: Parameters<Store['query']>[1]) => {
        const { items, next } = await store.query(pk, range)
        return [items.map(({ sk }) => sk).join(' '), next]
      }
      test('gives one partition in order of sort key', async () => {
        await fill('b', 'a', 'B', '10', '9')
        await store.write(put({ pk: `${pk}x`, sk: 'other' }))
        expect(await read()).toEqual(['10 9 B a b', undefined])
        expect(await read({ descending: true })).toEqual(['b a B 9 10', undefined])
        expect(await store.query(`${pk}none`)).toEqual({ items: [] })
      })
      test('pages by limit, and says exactly whether there is more', async () => {
        await fill('a', 'b', 'c', 'd')
        expect(await read({ limit: 2 })).toEqual(['a b', 'b'])
        expect(await read({ limit: 2, after: 'b' })).toEqual(['c d', undefined])
        expect(await read({ limit: 4 })).toEqual(['a b c d', undefined])
        expect(await read({ limit: 3, descending: true })).toEqual(['d c b', 'b'])
        expect(await read({ limit: 3, descending: true, after: 'b' })).toEqual(['a', undefined])
      })
      test('keeps to a prefix', async () => {
        await fill('a', 'n1', 'n2', 'n3', 'o')
        expect(await read({ prefix: 'n' })).toEqual(['n1 n2 n3', undefined])
        expect(await read({ prefix: 'n', limit: 2 })).toEqual(['n1 n2', 'n2'])
        expect(await read({ prefix: 'n', after: 'n2' })).toEqual(['n3', undefined])
        expect(await read({ prefix: '' })).toEqual(['a n1 n2 n3 o', undefined])
        expect(await read({ prefix: 'x' })).toEqual(['', undefined])
      })
      test('takes any text for a cursor', async () => {
        await fill('n1', 'n3')
        expect(await read({ after: 'n2' })).toEqual(['n3', undefined])
        expect(await read({ after: '' })).toEqual(['n1 n3', undefined])
        expect(await read({ after: 'z' })).toEqual(['', undefined])
        expect(await read({ after: `n2${'x'.repeat(3_000)}` })).toEqual(['n3', undefined])
        expect(await read({ after: 'a', prefix: 'n' })).toEqual(['n1 n3', undefined])
        expect(await read({ after: 'o', prefix: 'n' })).toEqual(['', undefined])
        expect(await read({ after: 'a', prefix: 'n', descending: true })).toEqual(['', undefined])
        expect(await read({ after: 'o', prefix: 'n', descending: true })).toEqual([
          'n3 n1',
          undefined,
        ])
        expect(await read({ after: '', descending: true })).toEqual(['', undefined])
      })
      test('reads more than one page of the engine', async () => {
        const text = 'x'.repeat(300_000)
        for (const sk of 'abcdef') await store.write(put({ pk, sk, text }))
        expect(await read()).toEqual(['a b c d e f', undefined])
        expect(await read({ limit: 5 })).toEqual(['a b c d e', 'e'])
      })
      test('refuses a limit that is none', async () => {
        await refuses(() => store.query(pk, { limit: 0 }))
        await refuses(() => store.query(pk, { limit: 1.5 }))
      })
    })

    describe('transact', () => {
      test('applies all writes', async () => {
        await fill('old', 'fence')
        const writes: Write[] = [
          { kind: 'check', key: { pk, sk: 'fence' }, when: [present] },
          put({ pk, sk: 'new', n: 1 }, absent),
          { kind: 'delete', key: { pk, sk: 'old' }, when: [present] },
        ]
        expect(await store.transact(writes, token())).toEqual(applied)
        expect(bySk((await store.query(pk)).items)).toEqual(['fence', 'new'])
      })
      test('applies none when one condition fails, and names the first that did', async () => {
        await fill('a')
        const writes: Write[] = [
          put({ pk, sk: 'b' }),
          put({ pk, sk: 'a', n: 1 }, absent),
          { kind: 'check', key: { pk, sk: 'c' }, when: [present] },
        ]
        expect(await store.transact(writes, token())).toEqual(rejected(1))
        expect((await store.query(pk)).items).toEqual([{ pk, sk: 'a' }])
      })
      test('is applied once, however often it is sent', async () => {
        const own = token()
        const writes = [put({ pk, sk: 'a', n: 1 }, absent)]
        expect(await store.transact(writes, own)).toEqual(applied)
        await store.update({ pk, sk: 'a' }, { n: 2 })
        expect(await store.transact(writes, own)).toEqual(applied)
        expect(await store.get({ pk, sk: 'a' })).toEqual({ pk, sk: 'a', n: 2 })
      })
      test('that was rejected is tried anew under its token', async () => {
        const own = token()
        const writes = [put({ pk, sk: 'a' }, absent)]
        await fill('a')
        expect(await store.transact(writes, own)).toEqual(rejected(0))
        await store.write({ kind: 'delete', key: { pk, sk: 'a' } })
        expect(await store.transact(writes, own)).toEqual(applied)
      })
      test('refuses other writes under a token that was used', async () => {
        const own = token()
        await store.transact([put({ pk, sk: 'a', n: 1 })], own)
        const other = store.transact([put({ pk, sk: 'a', n: 2 })], own)
        await expect(other).rejects.toMatchObject({ code: 'IdempotentParameterMismatch' })
        expect(await store.get({ pk, sk: 'a' })).toEqual({ pk, sk: 'a', n: 1 })
      })
      test('takes a hundred writes and no more', async () => {
        const writes = Array.from({ length: 101 }, (_, n) => put({ pk, sk: String(n) }))
        await refuses(() => store.transact(writes, token()))
        await refuses(() => store.transact([], token()))
        expect(await store.transact(writes.slice(1), token())).toEqual(applied)
        expect((await store.query(pk)).items).toHaveLength(100)
      })
      test('refuses two writes of one item', async () => {
        const check: Write = { kind: 'check', key: { pk, sk: 'a' }, when: [absent] }
        await refuses(() => store.transact([put({ pk, sk: 'a' }), check], token()))
      })
      test('refuses a token that is empty or too long', async () => {
        await refuses(() => store.transact([put({ pk, sk: 'a' })], ''))
        await refuses(() => store.transact([put({ pk, sk: 'a' })], 'x'.repeat(37)))
      })
      test('refuses more than 4 MB together', async () => {
        const text = 'x'.repeat(380_000)
        const writes = Array.from({ length: 12 }, (_, n) => put({ pk, sk: String(n), text }))
        await refuses(() => store.transact(writes, token()))
        expect((await store.query(pk)).items).toEqual([])
      })
    })

    describe('limits', () => {
      test('an item has 400 KB at most, its names and keys counted', async () => {
        const rest = 'pk'.length + pk.length + 'sk'.length + 'a'.length + 'text'.length
        const fits = 'x'.repeat(LIMITS.itemMaxBytes - rest)
        expect(await store.write(put({ pk, sk: 'a', text: fits }))).toEqual(applied)
        await refuses(() => store.write(put({ pk, sk: 'a', text: `${fits}x` })))
        await refuses(() => store.update({ pk, sk: 'a' }, { more: 1 }))
        await refuses(() => store.transact([put({ pk, sk: 'a', text: `${fits}x` })], token()))
      })
      test('a key is a text that is not empty', async () => {
        for (const key of [
          { pk: '', sk: 'a' },
          { pk, sk: '' },
        ]) {
          await refuses(() => store.get(key))
          await refuses(() => store.getMany([key]))
          await refuses(() => store.write({ kind: 'put', item: key }))
          await refuses(() => store.write({ kind: 'delete', key }))
          await refuses(() => store.update(key, { n: 1 }))
          await refuses(() => store.transact([{ kind: 'put', item: key }], token()))
        }
        await refuses(() => store.query(''))
      })
      test('keys end at 2,048 and 1,024 bytes', async () => {
        expect(await store.write(put({ pk: pk.padEnd(2_048, 'x'), sk: 'a' }))).toEqual(applied)
        expect(await store.write(put({ pk, sk: 'é'.repeat(512) }))).toEqual(applied)
        await refuses(() => store.write(put({ pk: pk.padEnd(2_049, 'x'), sk: 'a' })))
        await refuses(() => store.write(put({ pk, sk: 'é'.repeat(513) })))
      })
      test('values nest 31 levels below the item', async () => {
        const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
        expect(await store.write(put({ pk, sk: 'a', deep: nested(31) }))).toEqual(applied)
        await refuses(() => store.write(put({ pk, sk: 'a', deep: nested(32) })))
      })
      test('refuses what is not plain JSON', async () => {
        for (const odd of [Number.NaN, Infinity, 2 ** 60, new Date(0)]) {
          const act = store.write(put({ pk, sk: 'a', odd }))
          await expect(act).rejects.toMatchObject({ name: expect.stringMatching(/^Store/) })
        }
      })
    })

    describe('scan', () => {
      test('gives every item, across pages', async () => {
        const sks = Array.from({ length: 30 }, (_, n) => String(n).padStart(2, '0'))
        const text = 'x'.repeat(100_000)
        await store.transact(
          sks.map((sk) => put({ pk, sk, text })),
          token(),
        )
        const items = (await store.scan()).filter((item) => item.pk === pk)
        expect(bySk(items)).toEqual(sks)
        expect(items.every((item) => item.text === text)).toBe(true)
      })
    })
  })
}
