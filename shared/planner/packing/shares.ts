/**
 * Parts of devices on one machine: how many devices they need, and which goes onto which.
 *
 * A bin packing problem, tiny and asked over and over, so each set of shares is looked at once:
 * a bound by sums, best fit decreasing, and a short search where that takes more than the bound.
 *
 * Source: Martello and Toth, Knapsack Problems (1990), chapter 8.
 */
const DEVICE_MILLI = 1000
/** Steps of the search for one set of shares. */
const STEPS_MAX = 200

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
  let atLeast = devicesBySums(milli)
  for (let devices = atLeast; ; devices += 1) {
    const found = pack(milli, devices)
    if (found.devices !== undefined) return { atLeast, atMost: devices }
    if (found.isProven && atLeast === devices) atLeast += 1
  }
}

/** The bound L2: shares below a limit left out, those over half a device have one each. */
function devicesBySums(milli: readonly number[]): number {
  const half = DEVICE_MILLI / 2
  const overHalf = milli.filter((own) => own > half)
  const smaller = milli.filter((own) => own <= half)
  const withLimit = (limit: number): number => {
    const company = overHalf.filter((own) => own <= DEVICE_MILLI - limit)
    const room = company.reduce((sum, own) => sum + DEVICE_MILLI - own, 0)
    const need = smaller.reduce((sum, own) => sum + (own >= limit ? own : 0), 0)
    return overHalf.length + Math.max(0, Math.ceil((need - room) / DEVICE_MILLI))
  }
  return [0, ...new Set(smaller)].reduce((most, limit) => Math.max(most, withLimit(limit)), 0)
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
    for (let room = share; ; room += 1) {
      const device = fullestWith(left, room)
      if (device === undefined) return false
      room = left[device] as number
      steps += 1
      if (steps > STEPS_MAX) return false
      left[device] = room - share
      deviceOf[k] = device
      if (place(k + 1)) return true
      left[device] = room
    }
  }
  return place(0)
    ? { devices: deviceOf, isProven: true }
    : { devices: undefined, isProven: steps <= STEPS_MAX }
}

/** The device with the least room that is no less than this. */
function fullestWith(left: readonly number[], room: number): number | undefined {
  let best: number | undefined
  for (let device = 0; device < left.length; device += 1) {
    const own = left[device] as number
    if (own >= room && (best === undefined || own < (left[best] as number))) best = device
  }
  return best
}
