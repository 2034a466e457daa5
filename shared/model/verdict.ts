/**
 * Verdict: what the burn-in function made of an agent's check results.
 *
 * It names node, boot, attempt and suite, so it can admit only the attempt it judged. A check that
 * could not run is INFRA or UNKNOWN, never FAIL: it does not condemn the hardware.
 */
import { z } from 'zod'
import { jsonBytes } from '../base/bytes.ts'
import { measureLimitSchema, measureNameSchema } from './burn-in.ts'
import { LIMITS } from './limits.ts'
import { amountSchema } from './quantities.ts'

export const verdictNameSchema = z.enum(['PASS', 'WARN', 'FAIL', 'UNKNOWN', 'INFRA'])
export type VerdictName = z.infer<typeof verdictNameSchema>

/** From harmless to worst; a suite is as bad as its worst check. */
export const VERDICT_ORDER: readonly VerdictName[] = ['PASS', 'WARN', 'UNKNOWN', 'INFRA', 'FAIL']

/** The worst of the verdicts; UNKNOWN of none at all, for nothing was proven. */
export function worst(verdicts: readonly VerdictName[]): VerdictName {
  const ranks = verdicts.map((verdict) => VERDICT_ORDER.indexOf(verdict))
  return VERDICT_ORDER[Math.max(-1, ...ranks)] ?? 'UNKNOWN'
}

/** What may mend a machine, from the least to the most. */
export const mendSchema = z.enum(['reset', 'reboot', 'replace'])
export type Mend = z.infer<typeof mendSchema>
export const MENDS: readonly Mend[] = mendSchema.options

export const checkResultSchema = z.object({
  name: z.string().max(63),
  verdict: verdictNameSchema,
  /** Numbers with their unit last in the key: `writeMibPerSecond`. */
  measures: z.record(z.string().max(63), amountSchema).default({}),
  text: z.string().max(500).default(''),
  /** How long it ran, by the agent's clock. */
  durationMs: z.int().min(0).optional(),
  /** GPUs that it found fault with, where it can tell them apart. */
  devices: z
    .array(
      z.object({
        uuid: z.string().max(64),
        verdict: verdictNameSchema,
        text: z.string().max(200),
      }),
    )
    .max(64)
    .optional(),
  /** Of a failed one: the least that would mend it, where the check can tell. */
  needs: mendSchema.optional(),
  /** By measure: what it was held against. Written by whoever judges, never by an agent. */
  limits: z.record(measureNameSchema, measureLimitSchema).optional(),
})
export type CheckResult = z.infer<typeof checkResultSchema>

/**
 * As a machine reports them. Verdicts and nodes hold copies, so they must leave room in an item:
 * what does not fit is nonsense, and must not keep drover from writing its own.
 */
export const checkResultsSchema = z
  .array(checkResultSchema)
  .max(LIMITS.checksReportedMax)
  .refine((own) => jsonBytes(own) <= LIMITS.checksMaxBytes, { error: 'must fit into an item' })

export const verdictSchema = z.object({
  kind: z.literal('verdict'),
  node: z.string(),
  arn: z.string(),
  bootId: z.string(),
  attempt: z.int().min(1),
  suite: z.string(),
  verdict: verdictNameSchema,
  checks: z.array(checkResultSchema),
  /** It was refused untested, for what is known of its hardware. */
  refused: z.boolean().optional(),
  /**
   * How old the certificate is that the assignment asks for, of the GPU that has the oldest;
   * absent where one of them, or all together, have none.
   */
  certifiedForMs: z.int().min(0).optional(),
  atMs: z.int(),
})
export type Verdict = z.infer<typeof verdictSchema>
