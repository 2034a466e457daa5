/**
 * Parts of devices on one machine: how many devices they need, and which goes onto which.
 *
 * A bin packing problem, tiny and asked over and over, so each set of shares is looked at once:
 * best fit decreasing first, and a search with a limit where their sum might do with fewer devices.
 *
 * Source: Martello and Toth, Knapsack Problems (1990), chapter 8.
 */
const DEVICE_MILLI = 1000
/** Steps of the search for one set of shares. */
const STEPS_MAX = 2_000

export type Shares = {
  /** Thousandths of a device, largest first. */
  readonly milli: readonly number[]
  /** No fewer devices hold them. */
  readonly atLeast: number
  /** So many hold them. */
  readonly atMost: number
}

export type SharesBook = {
  readonly none: Shares
  /** The set with another share in it. */
  plus(shares: Shares, milli: number): Shares
}

export function makeSharesBook(): SharesBook {
  const none: Shares = { milli: [], atLeast: 0, atMost: 0 }
  const sets = new Map<string, Shares>()
  const larger = new Map<Shares, Map<number, Shares>>()
  const make = (milli: readonly number[]): Shares => {
    const name = milli.join()
    const known = sets.get(name) ?? { milli, ...devicesFor(milli) }
    sets.set(name, known)
    return known
  }
  return {
    none,
    plus: (shares, milli) => {
      const known = larger.get(shares) ?? new Map<number, Shares>()
      larger.set(shares, known)
      const after = known.get(milli) ?? make([...shares.milli, milli].sort((a, b) => b - a))
      known.set(milli, after)
      return after
    },
  }
}

function devicesFor(milli: readonly number[]): Pick<Shares, 'atLeast' | 'atMost'> {
  let atLeast = Math.ceil(milli.reduce((sum, own) => sum + own, 0) / DEVICE_MILLI)
  for (let devices = atLeast; ; devices += 1) {
    const found = pack(milli, devices)
    if (found.devices !== undefined) return { atLeast, atMost: devices }
    if (found.isProven && atLeast === devices) atLeast += 1
  }
}

/**
 * The device of each share; undefined where so many devices do not hold them, as far as is known.
 */
export function packShares(
  milli: readonly number[],
  devices: number,
): readonly number[] | undefined {
  const order = [...milli.keys()].sort((a, b) => (milli[b] ?? 0) - (milli[a] ?? 0))
  const found = pack(
    order.map((k) => milli[k] ?? 0),
    devices,
  ).devices
  if (found === undefined) return undefined
  const deviceOf = Array<number>(milli.length).fill(0)
  order.forEach((k, at) => {
    deviceOf[k] = found[at] ?? 0
  })
  return deviceOf
}

type Packed = {
  readonly devices: readonly number[] | undefined
  /** Whether it is certain that there is no place for all. */
  readonly isProven: boolean
}

/** Depth first, the fullest device that holds a share before the others. */
function pack(milli: readonly number[], devices: number): Packed {
  const left = Array<number>(devices).fill(DEVICE_MILLI)
  const deviceOf: number[] = []
  let steps = 0
  const place = (k: number): boolean => {
    const share = milli[k]
    if (share === undefined) return true
    const tried = new Set<number>()
    const fullestFirst = [...left.keys()].sort((a, b) => (left[a] ?? 0) - (left[b] ?? 0) || a - b)
    for (const device of fullestFirst) {
      const room = left[device] ?? 0
      if (room < share || tried.has(room)) continue
      tried.add(room)
      steps += 1
      if (steps > STEPS_MAX) return false
      left[device] = room - share
      deviceOf[k] = device
      if (place(k + 1)) return true
      left[device] = room
    }
    return false
  }
  return place(0)
    ? { devices: deviceOf, isProven: true }
    : { devices: undefined, isProven: steps <= STEPS_MAX }
}
