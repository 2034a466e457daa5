/**
 * Verdict: what the burn-in function made of an agent's check results.
 *
 * It names node, boot, attempt and suite, so it can admit only the attempt it judged. A check that
 * could not run is INFRA or UNKNOWN, never FAIL: it does not condemn the hardware.
 */
import { z } from 'zod'

export const verdictNameSchema = z.enum(['PASS', 'WARN', 'FAIL', 'UNKNOWN', 'INFRA'])
export type VerdictName = z.infer<typeof verdictNameSchema>

/** From harmless to worst; a suite is as bad as its worst check. */
export const VERDICT_ORDER: readonly VerdictName[] = ['PASS', 'WARN', 'UNKNOWN', 'INFRA', 'FAIL']

export const checkResultSchema = z.object({
  name: z.string().max(63),
  verdict: verdictNameSchema,
  /** Numbers with their unit last in the key: `writeMibPerSecond`. */
  measures: z.record(z.string().max(63), z.number()).default({}),
  text: z.string().max(500).default(''),
})
export type CheckResult = z.infer<typeof checkResultSchema>

export const verdictSchema = z.object({
  kind: z.literal('verdict'),
  node: z.string(),
  arn: z.string(),
  bootId: z.string(),
  attempt: z.int().min(1),
  suite: z.string(),
  verdict: verdictNameSchema,
  checks: z.array(checkResultSchema),
  atMs: z.int(),
})
export type Verdict = z.infer<typeof verdictSchema>
