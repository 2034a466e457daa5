/**
 * Repack: groups of machines to buy and of machines to empty, so that the same work costs less.
 *
 * `repack` proposes a group; reconcile decides on it and marks the nodes of either side. The marks
 * are all the memory there is: a group is under way as long as some node carries its mark.
 */
import { z } from 'zod'
import { capacityTypeSchema } from './machine.ts'

/** Why machines are emptied; the first two to save money, the others whatever they cost. */
export const repackReasonSchema = z.enum(['Cheaper', 'Underused', 'Expired', 'Drifted'])
export type RepackReason = z.infer<typeof repackReasonSchema>

/** One machine to buy. */
export const repackLaunchSchema = z.object({
  pool: z.string(),
  capacityType: capacityTypeSchema,
  /** `<instance type>/<zone>`, the cheapest first: any of them will do. */
  places: z.array(z.string()).min(1),
  /** Of the first of those. */
  usdPerHour: z.number().min(0),
  /** By workload uid: the replicas it is for, in the order in which they are put there. */
  boughtFor: z.array(z.object({ uid: z.string(), count: z.int().min(1) })).default([]),
})
export type RepackLaunch = z.infer<typeof repackLaunchSchema>

/** A replica that moves off a node which stays: its room is what others lack there. */
export const repackShiftSchema = z.object({ node: z.string(), replica: z.string() })
export type RepackShift = z.infer<typeof repackShiftSchema>

export const repackGroupSchema = z.object({
  /** Named after its machines to empty, of which no two groups share one. */
  id: z.string(),
  reason: repackReasonSchema,
  launch: z.array(repackLaunchSchema),
  /** Names of the nodes to empty. */
  retire: z.array(z.string()).min(1),
  /** Who moves aside before that. */
  shift: z.array(repackShiftSchema).default([]),
  /** What is saved when the cheapest places come up; below 0 where it costs more. */
  savingUsdPerHour: z.number(),
  /** Replicas that move. */
  moves: z.int().min(0),
})
export type RepackGroup = z.infer<typeof repackGroupSchema>

/** A node's part in a group that is under way. */
export const repackMarkSchema = z.object({
  group: z.string(),
  /** `stay` until the machines are there, then `shift`: some of what is there moves aside. */
  side: z.enum(['launch', 'retire', 'stay', 'shift']),
  reason: repackReasonSchema,
  sinceMs: z.int(),
  /** The group is given up then: until it moves, for want of machines; then, for want of moves. */
  untilMs: z.int(),
  /** All of the group by name, so that each node knows of a missing one. */
  launch: z.array(z.string()),
  retire: z.array(z.string()),
  shift: z.array(repackShiftSchema).default([]),
  /** `<instance type> <capacity type>` of what was asked for. */
  offerings: z.array(z.string()),
})
export type RepackMark = z.infer<typeof repackMarkSchema>
