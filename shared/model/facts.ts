/**
 * The small facts around the herd: signals, orders, shortages, brakes, market prices, and the pass.
 *
 * Each kind has one writer (DESIGN, "one writer per kind of item"), named at its schema.
 */
import { z } from 'zod'
import { capacityTypeSchema, instanceTypeSchema } from './machine.ts'

/** Written by `interruption`: what EC2 said of one instance, the latest of each sort. */
export const signalSchema = z.object({
  kind: z.literal('signal'),
  instanceId: z.string(),
  /** `deadlineMs` only where EC2 names it; a spot machine ends two minutes after `atMs`. */
  interruption: z
    .object({ action: z.string(), atMs: z.int(), deadlineMs: z.int().optional() })
    .optional(),
  rebalance: z.object({ atMs: z.int() }).optional(),
  state: z.object({ value: z.string(), atMs: z.int() }).optional(),
  health: z.object({ code: z.string(), atMs: z.int(), startAtMs: z.int().optional() }).optional(),
})
export type Signal = z.infer<typeof signalSchema>

/** Written by `admin-api`: what a person asked of a node, a pool, a roll-out, the sweep, a GPU. */
export const orderSchema = z.discriminatedUnion('target', [
  z.object({
    kind: z.literal('order'),
    target: z.literal('node'),
    name: z.string(),
    verb: z.enum(['cordon', 'drain', 'retest', 'terminate']),
    force: z.boolean().default(false),
    deadlineSeconds: z.int().min(0),
    atMs: z.int(),
  }),
  z.object({
    kind: z.literal('order'),
    target: z.literal('pool'),
    name: z.string(),
    verb: z.literal('release-brake'),
    atMs: z.int(),
  }),
  z.object({
    kind: z.literal('order'),
    target: z.literal('workload'),
    name: z.string(),
    /** Of the workload that it is about, which may be made anew. */
    uid: z.string(),
    verb: z.literal('rollout'),
    paused: z.boolean(),
    /** To go back to a version, for as long as the spec's is the one that was gone back from. */
    undo: z.object({ from: z.string(), to: z.string() }).optional(),
    atMs: z.int(),
  }),
  z.object({
    kind: z.literal('order'),
    target: z.literal('sweep'),
    name: z.literal('sweep'),
    verb: z.literal('sweep-allow'),
    atMs: z.int(),
  }),
  z.object({
    kind: z.literal('order'),
    target: z.literal('hardware'),
    /** Of a device, or of a set of them. */
    name: z.string(),
    verb: z.literal('clear'),
    /** The rejection it is about, by its stamp: it says nothing of a later one. */
    rejectedAtMs: z.int(),
    atMs: z.int(),
  }),
])
export type Order = z.infer<typeof orderSchema>
export type NodeOrder = Extract<Order, { target: 'node' }>
export type RolloutOrder = Extract<Order, { target: 'workload' }>
export type HardwareOrder = Extract<Order, { target: 'hardware' }>

/**
 * Written by reconcile: a place where EC2 had nothing to sell, remembered with growing back-off.
 */
export const shortageSchema = z.object({
  kind: z.literal('shortage'),
  /** A type; `class:g` where a quota of its class is used up, `*` where one of all types is. */
  instanceType: z.string(),
  zone: z.string(),
  capacityType: capacityTypeSchema,
  code: z.string(),
  text: z.string(),
  failures: z.int().min(1),
  sinceMs: z.int(),
  untilMs: z.int(),
})
export type Shortage = z.infer<typeof shortageSchema>

/** How burn-ins of machines of one make ended lately: they have image and suite in common. */
export const makeRecordSchema = z.object({
  /** As in the node's machine; absent where nobody knows it. */
  imageId: z.string().optional(),
  suite: z.string(),
  /** The last few, one an instance, the oldest first. */
  outcomes: z.array(z.object({ instanceId: z.string(), passed: z.boolean(), atMs: z.int() })),
  /** So long after the last failure the brake lets go: a machine can come up and be tested. */
  windowMs: z.int(),
  /** Since when such machines are bought one at a time. */
  trippedAtMs: z.int().optional(),
})
export type MakeRecord = z.infer<typeof makeRecordSchema>

/** Written by reconcile: what was condemned in a pool in the last window, and what failed there. */
export const brakeSchema = z.object({
  kind: z.literal('brake'),
  pool: z.string(),
  condemned: z.array(
    z.object({
      node: z.string(),
      atMs: z.int(),
      zone: z.string().optional(),
      instanceType: z.string().optional(),
      imageId: z.string().optional(),
      reason: z.string(),
    }),
  ),
  /** A person's order (identified by its `atMs`), and since when it has lifted the brake. */
  release: z.object({ orderAtMs: z.int(), sinceMs: z.int() }).optional(),
  /** Absent where no burn-in has ended lately. */
  makes: z.array(makeRecordSchema).optional(),
  /** Machines that failed their burn-in in the last hour, the oldest first, at their prices. */
  failed: z
    .array(z.object({ instanceId: z.string(), atMs: z.int(), usdPerHour: z.number() }))
    .optional(),
})
export type Brake = z.infer<typeof brakeSchema>

/** Written by `market`: one zone's offerings. Prices are USD an hour. */
export const marketSchema = z.object({
  kind: z.literal('market'),
  zone: z.string(),
  atMs: z.int(),
  /** By instance type; a missing price means that it is not sold there. */
  prices: z.record(
    z.string(),
    z.object({ onDemand: z.number().optional(), spot: z.number().optional() }),
  ),
})
export type Market = z.infer<typeof marketSchema>

/** Written by `market`: types that EC2 sells and the shipped catalogue does not know yet. */
export const marketShapesSchema = z.object({
  kind: z.literal('market-shapes'),
  atMs: z.int(),
  types: z.array(instanceTypeSchema),
})
export type MarketShapes = z.infer<typeof marketShapesSchema>

/** Written by reconcile: the fence, and what the last passes saw. */
export const passSchema = z.object({
  kind: z.literal('pass'),
  /** Identifies this table for ever; in every instance's tags. */
  tableUid: z.string(),
  createdAtMs: z.int(),
  epoch: z.int().min(0),
  startedAtMs: z.int(),
  /** Start of the last pass that ended well: wakes sent before it need no pass. */
  lastGoodStartedAtMs: z.int().optional(),
  /** Since when passes have come without a gap; silence is counted from here at the earliest. */
  coveredSinceMs: z.int(),
  /** Instances nobody claims, and when a sweep first saw them. */
  suspects: z.record(z.string(), z.int()).default({}),
  lastSweepAtMs: z.int().optional(),
})
export type Pass = z.infer<typeof passSchema>
