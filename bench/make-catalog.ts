/**
 * Prints the rows of shared/catalog/families.ts, gpu-families.ts and pods.ts from three public
 * tables.
 *
 * Usage: node bench/make-catalog.ts TYPES.csv SPOT-PRICES.csv SPOT-ADVISOR.csv
 *
 * The tables are not part of the repository; shared/catalog/README.md names where they come from
 * and which columns are read. A row holds only what cannot be computed: a family's price and memory
 * are those of one vCPU (the price rounded to some decimals, `~4`), and sizes that differ are
 * listed apart.
 */
import { readFileSync } from 'node:fs'
import { assert, must } from '#shared/base/assert.ts'
import { byKey, byText, groupBy, type Compare } from '#shared/base/order.ts'
import { isBought } from '#shared/catalog/selection.ts'

type Row = Readonly<Record<string, string>>

/** Prices of their launch month that did not last: see the catalogue's README. */
const SPOT_NOT_LASTING = new Set(['g6', 'gr6'])

const SHORT_SIZE: Readonly<Record<string, string>> = { medium: 'm', large: 'l', xlarge: 'x' }

function readTable(path: string): readonly Row[] {
  const [head, ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/)
  const columns = must(head, 'the header line').split(',')
  return lines.map((line) => {
    const values = line.split(',')
    return Object.fromEntries(columns.map((column, at) => [column, values[at] ?? '']))
  })
}

const numberIn = (row: Row, column: string): number => Number(row[column])
const textIn = (row: Row, column: string): string => must(row[column], column)
const vcpuOf = (row: Row): number => numberIn(row, 'vcpu')
const gibOf = (row: Row): number => numberIn(row, 'memoryMiB') / 1024
const usdOf = (row: Row): number => numberIn(row, 'onDemandUSDPerHour')
const sizeOf = (row: Row): string => textIn(row, 'size')
const bySize: Compare<Row> = byKey(vcpuOf)

function isKept(row: Row): boolean {
  const type = { name: textIn(row, 'instanceType'), family: textIn(row, 'family') }
  return isBought(type) && usdOf(row) > 0
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))
const shortSize = (size: string): string => SHORT_SIZE[size] ?? size.replace('xlarge', 'x')

/** What the formulas of allocatable.ts must reproduce; a table that breaks them stops here. */
function checkAllocatable(row: Row): void {
  const [vcpu, pods] = [vcpuOf(row), numberIn(row, 'maxPods')]
  const arm = textIn(row, 'arch') === 'arm64'
  const reserved =
    60 + 10 * Math.min(1, vcpu - 1) + 5 * clamp(vcpu - 2, 2) + 2.5 * clamp(vcpu - 4, Infinity)
  const memory = (numberIn(row, 'memoryMiB') - (arm ? 64 : 0)) * 0.925 - 11 * pods - 355
  assert(textIn(row, 'k8sAllocatableCPU') === `${Math.floor(vcpu * 1000 - reserved)}m`, 'cpu', row)
  assert(textIn(row, 'k8sAllocatableMem') === `${Math.floor(memory)}Mi`, 'memory', row)
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value))
}

type Facts = { spot: string; bucketOf: (type: string) => string }

function factsOf(prices: readonly Row[], advisor: readonly Row[]): (family: string) => Facts {
  const buckets = new Map(advisor.map((row) => [row['instanceType'], row['interruptionBucket']]))
  const ratios = groupBy(prices, (row) => textIn(row, 'instanceType').split('.')[0] ?? '')
  return (family) => {
    const own = (SPOT_NOT_LASTING.has(family) ? [] : (ratios.get(family) ?? [])).map(
      (row) => numberIn(row, 'spotUSD') / numberIn(row, 'onDemandUSD'),
    )
    const mean = own.reduce((sum, ratio) => sum + ratio, 0) / own.length
    return {
      spot: own.length === 0 ? '-' : mean.toFixed(3).slice(1),
      bucketOf: (type) => buckets.get(type) ?? '-',
    }
  }
}

const sizeRank = (size: string): number =>
  ['m', 'l', 'x'].indexOf(size) + 1 || Number.parseInt(size) + 3

type PriceRule = { perVcpu: number; digits: number }

const priceBy = (rule: PriceRule, vcpu: number): number => rounded(rule.perVcpu * vcpu, rule.digits)

/**
 * The shortest price of one vCPU, and its rounding, from which most sizes' prices follow exactly.
 */
function priceRuleOf(rows: readonly Row[]): PriceRule {
  const rules = [7, 6, 5, 4, 3].flatMap((digits) =>
    [4, 5, 6, 7, 8].flatMap((own) =>
      rows.map((row) => ({ perVcpu: rounded(usdOf(row) / vcpuOf(row), own), digits })),
    ),
  )
  const follows = (rule: PriceRule): number =>
    rows.filter((row) => priceBy(rule, vcpuOf(row)) === usdOf(row)).length
  const best = Math.max(...rules.map(follows))
  return must(
    rules.find((rule) => follows(rule) === best),
    'a price',
  )
}

/** How the sizes' pod limits follow from their number: families that share it share a profile. */
function profilesOf(families: ReadonlyMap<string, readonly Row[]>): ReadonlyMap<string, string> {
  const profiles: Map<string, string>[] = []
  const names = new Map<string, string>()
  const largestFirst = [...families].sort(byKey(([, rows]) => -rows.length))
  for (const [family, rows] of largestFirst) {
    const own = rows.map((row) => [shortSize(sizeOf(row)), textIn(row, 'maxPods')] as const)
    let at = profiles.findIndex((all) => own.every(([size, n]) => (all.get(size) ?? n) === n))
    if (at < 0) at = profiles.push(new Map()) - 1
    for (const [size, pods] of own) must(profiles[at], 'profile').set(size, pods)
    names.set(family, String.fromCharCode(97 + at))
  }
  profiles.forEach((profile, at) => {
    const ordered = [...profile].toSorted(byKey(([size]) => sizeRank(size)))
    const sizes = [...groupBy(ordered, ([, pods]) => pods)]
      .map(([pods, group]) => `${group.map(([size]) => size).join(',')}:${pods}`)
      .join(' ')
    console.log(`  ${String.fromCharCode(97 + at)}: '${sizes}',`)
  })
  return names
}

/** Prints a family's row and returns the sizes that it does not give exactly. */
function printPlain(rows: readonly Row[], facts: Facts, profile: string): readonly string[] {
  const first = must(rows[0], 'a size')
  const rule = priceRuleOf(rows)
  const gib = rounded(gibOf(first) / vcpuOf(first), 3)
  const sizes = rows.map((row) => {
    const bucket = facts.bucketOf(textIn(row, 'instanceType'))
    return shortSize(sizeOf(row)) + (bucket === '-' ? '' : `:${bucket}`)
  })
  const price = `${String(rule.perVcpu)}${rule.digits === 7 ? '' : `~${String(rule.digits)}`}`
  const shape = [textIn(first, 'family').padEnd(6), textIn(first, 'arch'), String(gib).padEnd(5)]
  const head = [...shape, price.padEnd(11), facts.spot.padEnd(4), profile]
  console.log(`  '${head.join(' ')} ${sizes.join(' ')}',`)
  return rows.flatMap((row) => {
    const usd = priceBy(rule, vcpuOf(row)) === usdOf(row) ? '' : ` usd: ${usdOf(row)},`
    const own = Math.abs(gib * vcpuOf(row) - gibOf(row)) < 1e-9 ? '' : ` gib: ${gibOf(row)},`
    return usd + own === '' ? [] : [`  '${textIn(row, 'instanceType')}': {${usd}${own} },`]
  })
}

function printGpu(rows: readonly Row[], facts: Facts): void {
  const first = must(rows[0], 'a size')
  const model = `nvidia-${textIn(first, 'gpuModel')}`
  console.log(`  '${textIn(first, 'family')} ${textIn(first, 'arch')} ${model} ${facts.spot}': [`)
  for (const row of rows) {
    const bucket = facts.bucketOf(textIn(row, 'instanceType'))
    const values = [sizeOf(row), gibOf(row), row['gpuCount'], row['maxPods'], usdOf(row), bucket]
    console.log(`    '${values.join(' ')}',`)
  }
  console.log('  ],')
}

function main(paths: readonly string[]): void {
  assert(paths.length === 3, 'usage: make-catalog.ts TYPES.csv SPOT-PRICES.csv SPOT-ADVISOR.csv')
  const [types = [], prices = [], advisor = []] = paths.map(readTable)
  const kept = types.filter(isKept)
  kept.forEach(checkAllocatable)
  const families = new Map(
    [...groupBy(kept, (row) => textIn(row, 'family'))]
      .sort(([a], [b]) => byText(a, b))
      .map(([family, rows]) => [family, rows.toSorted(bySize)] as const),
  )
  const isGpu = (rows: readonly Row[]): boolean => rows.some((row) => row['gpuCount'] !== '0')
  const plain = new Map([...families].filter(([, rows]) => !isGpu(rows)))
  const facts = factsOf(prices, advisor)
  const profiles = profilesOf(plain)
  const exceptions = [...plain].flatMap(([family, rows]) =>
    printPlain(rows, facts(family), profiles.get(family) ?? ''),
  )
  for (const line of exceptions) console.log(line)
  for (const [family, rows] of families) if (isGpu(rows)) printGpu(rows, facts(family))
}

main(process.argv.slice(2))
