/**
 * CreateFleet of type `instant`: one attempt, answered at once with instances and errors together.
 *
 * The client token is what drover's safety leans on, so its rules are EC2's at their least
 * comfortable: the same request again answers again and launches nothing; other parameters are a
 * mismatch; and a token whose first use launched nothing is burnt: its replay is an empty answer,
 * with neither instances nor the errors that explained them. (EC2 leaves the last case open;
 * whoever survives this survives the kinder reading too.)
 */
import { canonicalJson } from '../../base/equal.ts'
import { bear, isAlive } from './life.ts'
import { capacityLeft, nextCandidate, priceAt, type Candidate } from './market.ts'
import type {
  FleetAnswer,
  FleetFault,
  FleetLaunched,
  FleetOverride,
  FleetRequest,
  Place,
  Refusal,
} from './types.ts'
import { hexOf, refuse, type World } from './world.ts'

const TOKEN_MAX_CHARS = 64
/** EC2's limit on one fleet's target. */
const COUNT_MAX = 10_000

const STRATEGY_OF = { spot: 'price-capacity-optimized', 'on-demand': 'lowest-price' } as const

export function createFleet(
  world: World,
  request: FleetRequest,
): { answer: 'done'; value: FleetAnswer } | Refusal {
  const refusal = faultOf(request)
  if (refusal !== undefined) return refusal
  forgetTokens(world)
  const { token, ...rest } = request
  const parameters = canonicalJson(rest)
  const known = token === undefined ? undefined : world.tokens.get(token)
  if (known !== undefined && known.parameters !== parameters) {
    const text = 'The client token has been used before with other parameters.'
    return refuse('IdempotentParameterMismatch', text)
  }
  if (known !== undefined) return { answer: 'done', value: replayOf(known.answer) }
  const value = launch(world, request)
  if (token !== undefined) {
    world.tokens.set(token, { parameters, atMs: world.clock(), answer: value })
  }
  return { answer: 'done', value }
}

function replayOf(first: FleetAnswer): FleetAnswer {
  return first.instances.length === 0 ? { ...first, errors: [] } : first
}

function forgetTokens(world: World): void {
  const oldestMs = world.clock() - world.options.tokenMemoryMs
  for (const [token, { atMs }] of world.tokens) {
    // Tokens stand in the order of their first use.
    if (atMs >= oldestMs) return
    world.tokens.delete(token)
  }
}

function faultOf(request: FleetRequest): Refusal | undefined {
  const { count, overrides, token, capacityType, strategy } = request
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    return refuse('InvalidParameterValue', `TotalTargetCapacity ${String(count)} is not valid.`)
  }
  if (overrides.length === 0) return refuse('MissingParameter', 'The request names no override.')
  if (token !== undefined && token.length > TOKEN_MAX_CHARS) {
    return refuse('InvalidParameterValue', 'ClientToken is longer than 64 characters.')
  }
  if (strategy !== STRATEGY_OF[capacityType]) {
    const text = `This EC2 allocates ${capacityType} by ${STRATEGY_OF[capacityType]} only.`
    return refuse('InvalidParameterCombination', text)
  }
  return undefined
}

function launch(world: World, request: FleetRequest): FleetAnswer {
  const { picks, errors } = allocate(world, request)
  const fleetId = `fleet-${hexOf(world.random, 32)}`
  const instances = picks.map((candidate) => launchOne(world, request, candidate))
  return { fleetId, instances, errors }
}

/** Asks place after place until the count is reached or every place has said no. */
function allocate(
  world: World,
  request: FleetRequest,
): { picks: Candidate[]; errors: FleetFault[] } {
  const nowMs = world.clock()
  const open = candidatesOf(world, request, nowMs)
  const picks: Candidate[] = []
  const errors: FleetFault[] = []
  let vcpu = vcpuInUse(world, request.capacityType)
  while (picks.length < request.count) {
    const next = nextCandidate(open, request.capacityType)
    if (next === undefined) break
    const own = vcpuOf(world, next.override.instanceType)
    const fault = whyNot(world, request, { candidate: next, vcpu: vcpu + own })
    if (fault === undefined) {
      picks.push(next)
      next.left -= 1
      vcpu += own
    } else {
      errors.push({ override: next.override, ...fault })
      open.splice(open.indexOf(next), 1)
    }
  }
  return { picks, errors }
}

/** One candidate a place: a place named twice is asked as its first override says. */
function candidatesOf(world: World, request: FleetRequest, nowMs: number): Candidate[] {
  const seen = new Map<string, Candidate>()
  for (const override of request.overrides) {
    const place = placeOf(override, request)
    const key = `${override.instanceType}/${override.zone}`
    const price = priceAt(world, place, nowMs) ?? Infinity
    if (!seen.has(key)) seen.set(key, { override, price, left: capacityLeft(world, place) })
  }
  return [...seen.values()]
}

const placeOf = (override: FleetOverride, { capacityType }: FleetRequest): Place => ({
  instanceType: override.instanceType,
  zone: override.zone,
  capacityType,
})

function whyNot(
  { options }: World,
  { capacityType }: FleetRequest,
  asked: { candidate: Candidate; vcpu: number },
): { code: string; text: string } | undefined {
  const { override, price, left } = asked.candidate
  const { instanceType, zone } = override
  if (price === Infinity) {
    const text = `The instance type ${instanceType} is not supported in ${zone}.`
    return { code: 'Unsupported', text }
  }
  const spot = capacityType === 'spot'
  const quota = (spot ? options.quotaVcpu.spot : options.quotaVcpu.onDemand) ?? Infinity
  if (asked.vcpu > quota) {
    return spot
      ? { code: 'MaxSpotInstanceCountExceeded', text: 'Max spot instance count exceeded' }
      : {
          code: 'VcpuLimitExceeded',
          text: `More vCPUs than your limit of ${String(quota)} allows.`,
        }
  }
  if (left > 0) return undefined
  const text = spot
    ? 'There is no Spot capacity available that matches your request.'
    : `We currently do not have sufficient ${instanceType} capacity in ${zone}.`
  return { code: 'InsufficientInstanceCapacity', text }
}

function vcpuOf(world: World, instanceType: string): number {
  return world.vcpuByType.get(instanceType) ?? 0
}

function vcpuInUse(world: World, capacityType: FleetRequest['capacityType']): number {
  return [...world.instances.values()]
    .filter((instance) => isAlive(instance) && instance.capacityType === capacityType)
    .reduce((sum, instance) => sum + vcpuOf(world, instance.instanceType), 0)
}

/**
 * Spot and on-demand machines are the same hardware. Every other launch gets what somebody gave up,
 * if there is any and the cloud hands it on, one after the other; the rest what nobody has had.
 */
function freeHost(world: World, { instanceType, zone }: FleetOverride): number {
  const place = `${instanceType}/${zone}`
  const count = world.hosts.get(place) ?? 0
  if (world.faults.secondHand && world.sequence % 2 === 1) {
    const taken = new Set(
      [...world.instances.values()]
        .filter((own) => own.instanceType === instanceType && own.zone === zone)
        .filter((own) => own.state !== 'terminated')
        .map((own) => own.host),
    )
    const free = Array.from({ length: count }, (_, host) => host).filter((own) => !taken.has(own))
    const host = free[((world.sequence - 1) / 2) % Math.max(1, free.length)]
    if (host !== undefined) return host
  }
  world.hosts.set(place, count + 1)
  return count
}

function launchOne(
  world: World,
  request: FleetRequest,
  { override, price }: Candidate,
): FleetLaunched {
  const { options, random } = world
  const nowMs = world.clock()
  const instanceId = `i-${hexOf(random, 17)}`
  world.sequence += 1
  const subnet = options.zones.indexOf(override.zone) + 1
  bear(world, {
    instanceId,
    arn: `arn:aws:ec2:${options.region}:${options.account}:instance/${instanceId}`,
    sequence: world.sequence,
    instanceType: override.instanceType,
    zone: override.zone,
    host: freeHost(world, override),
    capacityType: request.capacityType,
    priceUsdPerHour: price,
    imageId: override.imageId ?? options.imageId,
    ...(override.subnetId === undefined ? {} : { subnetId: override.subnetId }),
    privateIp: `10.${String(subnet)}.${String(random.int(0, 255))}.${String(random.int(4, 254))}`,
    tags: request.tags,
    launchedAtMs: nowMs,
    visibleAtMs: nowMs + options.listDelayMs,
  })
  return { instanceId, override }
}
