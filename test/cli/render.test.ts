import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatMonthly, formatSaving, formatUsd } from '#cli/render/money.ts'
import { colourPaint, harmless, paintFor, plainPaint } from '#cli/render/paint.ts'
import { page } from '#cli/render/page.ts'
import { formatBytes, formatUnits } from '#cli/render/quantities.ts'
import { table, type Column } from '#cli/render/table.ts'
import { ageOf, formatAge, formatDuration, formatTook, parseDuration } from '#cli/render/time.ts'
import { closest, listOr } from '#cli/suggest.ts'
import { kindFrom, KINDS } from '#cli/kinds.ts'
import { endpointColumns } from '#cli/views/endpoint.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('times', () => {
  it('are as short as people say them', () => {
    const ages = [
      -5,
      0,
      1999,
      119 * SECOND,
      120 * SECOND,
      119 * MINUTE,
      2 * HOUR,
      47 * HOUR,
      9 * DAY,
    ]
    expect(ages.map(formatAge)).toEqual(['0s', '0s', '1s', '119s', '2m', '119m', '2h', '47h', '9d'])
    expect(ageOf(undefined, 0)).toBe('')
    expect(ageOf('not a time', 0)).toBe('not a time')
    expect([0, 940, 12_400, 200 * SECOND].map(formatTook)).toEqual([
      '0.0s',
      '0.9s',
      '12s',
      '3m 20s',
    ])
  })

  it('are read as they are typed', () => {
    const typed = ['90', '90s', '1.5s', '15m', '1h30m', '2d', '1d2h3m4s']
    expect(typed.map(parseDuration)).toEqual([
      90 * SECOND,
      90 * SECOND,
      1500,
      15 * MINUTE,
      90 * MINUTE,
      2 * DAY,
      DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND,
    ])
    for (const text of ['', 'soon', '-5s', '5 m', '5w', 'm5', '1m1h']) {
      expect(parseDuration(text), text).toBeUndefined()
    }
  })

  it('survive being written and read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 * 86_400 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * SECOND).replaceAll(' ', ''))).toBe(
          seconds * SECOND,
        )
      }),
    )
  })
})

describe('money and amounts', () => {
  it('have as many digits as tell them apart', () => {
    expect([0, 0.0331, 0.5, 1.234, 41.2, 1234.5, 1_234_567].map(formatUsd)).toEqual([
      '$0',
      '$0.0331',
      '$0.5000',
      '$1.23',
      '$41.20',
      '$1,235',
      '$1,234,567',
    ])
    expect([0, 0.001, 0.4, 41.2].map(formatMonthly)).toEqual([
      'about $0 a month',
      'about $0.7300 a month',
      'about $292 a month',
      'about $30,076 a month',
    ])
    expect([formatSaving(1, 4), formatSaving(4, 4), formatSaving(1, 0)]).toEqual(['75%', '', ''])
    expect(['500m', '2', '3920m', '1.005', 'odd'].map(formatUnits)).toEqual([
      '0.5',
      '2',
      '3.92',
      '1.01',
      'odd',
    ])
    expect(['0', '384Mi', '14900Mi', '8Gi', 'odd'].map(formatBytes)).toEqual([
      '0',
      '384Mi',
      '14.6Gi',
      '8Gi',
      'odd',
    ])
  })
})

type Row = readonly [string, string, string]
const columns: readonly Column<Row>[] = [
  { title: 'NAME', of: ([name]) => name },
  { title: 'N', of: ([, n]) => n, align: 'right' },
  { title: 'TEXT', of: ([, , text]) => ({ text, colour: 'red' }), shrink: true },
]
const plain = (width?: number): Parameters<typeof table>[2] => ({ paint: plainPaint, width })

describe('a table', () => {
  it('aligns, marks what is empty, and drops a column that is', () => {
    const rows: Row[] = [
      ['a', '1', 'x'],
      ['longer', '200', ''],
    ]
    expect(table(columns, rows, plain())).toEqual([
      'NAME      N  TEXT',
      'a         1  x',
      'longer  200  -',
    ])
    expect(table(columns, [['a', '1', '']], plain())).toEqual(['NAME  N', 'a     1'])
  })

  it('keeps a row on one line, whatever stands in it', () => {
    expect(table(columns, [['a', '1', 'two\nlines\tand tabs']], plain())[1]).toBe(
      'a     1  two lines and tabs',
    )
  })

  it('shrinks one column to the terminal, and nothing in a pipe', () => {
    const rows: Row[] = [['name', '1', 'words that go on and on']]
    expect(table(columns, rows, plain(24))).toEqual(['NAME  N  TEXT', 'name  1  words that go …'])
    expect(table(columns, rows, plain(5))[1]).toBe('name  1  words that …')
    expect(table(columns, rows, plain())[1]).toBe('name  1  words that go on and on')
  })

  it('counts widths before colours', () => {
    const rows: Row[] = [
      ['a', '1', 'x'],
      ['b', '2', 'longer'],
    ]
    const coloured = table(columns, rows, { paint: colourPaint, width: undefined })

    const bare = coloured.map((line) => line.replace(/\u001b\[\d+m/g, '').trimEnd())
    expect(bare).toEqual(table(columns, rows, plain()))
    expect(coloured[1]).toContain('\u001b[31mx')
  })
})

describe('a page', () => {
  it('leaves out what says nothing', () => {
    const facts = [
      ['Name', 'web'],
      ['Team', undefined],
      ['Replicas', '3'],
      ['Why', ''],
    ] as const
    const sections = [
      { title: 'Empty', lines: [] },
      { title: 'Full', lines: ['one'] },
    ]
    expect(page({ facts, sections }, plainPaint)).toEqual([
      'Name:      web',
      'Replicas:  3',
      '',
      'Full',
      '  one',
    ])
  })
})

describe('colour', () => {
  it('is for terminals, unless somebody says otherwise', () => {
    expect(paintFor({}, true)).toBe(colourPaint)
    expect(paintFor({}, false)).toBe(plainPaint)
    expect(paintFor({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(plainPaint)
    expect(paintFor({ NO_COLOR: '' }, true)).toBe(colourPaint)
    expect(paintFor({ FORCE_COLOR: '1' }, false)).toBe(colourPaint)
    expect(paintFor({ TERM: 'dumb' }, true)).toBe(plainPaint)
  })

  it('is the only control sequence that reaches the terminal', () => {
    expect(harmless('\u001b[31mred\u001b[0m\n')).toBe('\u001b[31mred\u001b[0m\n')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const rest = harmless(text).replace(/\u001b\[\d{1,2}m/g, '')

        expect(rest).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
      }),
    )
  })
})

describe('suggestions', () => {
  it('are near, few, and nearest first', () => {
    expect(closest('wbe', ['web', 'worker', 'wibe'])).toEqual(['web', 'wibe'])
    expect(closest('general', ['general-4-1', 'general-4-2', 'gpu-1-1'])).toEqual([
      'general-4-1',
      'general-4-2',
    ])
    expect(closest('zzz', ['web'])).toEqual([])
    expect([listOr([]), listOr(['a']), listOr(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b or c'])
  })

  it('kinds have long, short and plural names, in any case', () => {
    const typed = ['wl', 'Workload', 'po', 'pools', 'no', 'NODES', 're', 'ev', 'team']
    expect(typed.map((own) => kindFrom(own, KINDS))).toEqual([
      'workload',
      'workload',
      'pool',
      'pool',
      'node',
      'node',
      'replica',
      'event',
      'team',
    ])
  })
})

describe('endpoints', () => {
  it('are those to send requests to, those that stop, and those that are not yet there', () => {
    const one = (address: string, ready: boolean, terminating: boolean) => ({
      ...{ replica: 'web/1', name: 'http', address, port: 80, node: 'n1', version: 'v' },
      ...{ ready, terminating },
    })
    const lines = table(
      endpointColumns,
      [one('10.0.0.1', true, false), one('10.0.0.1', false, false), one('fd00::1', false, true)],
      plain(),
    )
    expect(lines).toEqual([
      'REPLICA  PORT  ADDRESS       STATE      NODE  VERSION',
      'web/1    http  10.0.0.1:80   ready      n1    v',
      'web/1    http  10.0.0.1:80   not ready  n1    v',
      'web/1    http  [fd00::1]:80  stopping   n1    v',
    ])
  })
})
