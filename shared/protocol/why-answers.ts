/**
 * What the admin API answers to those who ask why: what holds a replica or a node where it is, what
 * fails and whose fault it is, and what each revision of a workload changed.
 */
import { z } from 'zod'
import { instant, reasonAnswerSchema } from './api.ts'

export const failureAnswerSchema = z
  .object({
    workload: z.string(),
    version: z.string(),
    node: z.string().meta({ description: 'it may be gone by now' }),
    replicas: z.int().meta({ description: 'how many failed there' }),
    count: z.int().meta({ description: 'how often in all' }),
    since: instant,
    last: instant,
    blame: reasonAnswerSchema.meta({ description: 'BadVersion, BadNode or Unclear, and why' }),
  })
  .meta({ id: 'Failure', description: 'a version that fails on a node' })
export type FailureAnswer = z.infer<typeof failureAnswerSchema>

const failures = z
  .array(failureAnswerSchema)
  .optional()
  .meta({ description: 'what fails and is not well again; absent where nothing does' })

const explainedReplicas = z.array(
  z.object({
    id: z.string(),
    node: z.string().optional(),
    phase: z.string(),
    reasons: z.array(reasonAnswerSchema),
  }),
)

/** Of a list that is cut where one answer ends. */
export const moreSchema = z
  .int()
  .min(1)
  .optional()
  .meta({ description: 'how many there are beyond those that one answer holds' })

export const explainAnswerSchema = z
  .object({ replicas: explainedReplicas, more: moreSchema, failures })
  .meta({ id: 'Explanation', description: 'why each replica is where and what it is' })
export type ExplainAnswer = z.infer<typeof explainAnswerSchema>

export const nodeExplainAnswerSchema = z
  .object({
    name: z.string(),
    phase: z.string(),
    reasons: z.array(reasonAnswerSchema).meta({ description: 'why the node is as it is' }),
    replicas: explainedReplicas,
    failures,
  })
  .meta({ id: 'NodeExplanation', description: 'why a node is as it is, and what is on it' })
export type NodeExplainAnswer = z.infer<typeof nodeExplainAnswerSchema>

export const templateChangeSchema = z
  .object({
    path: z.string().meta({ description: 'where in the template: resources.cpu' }),
    before: z.unknown().optional().meta({ description: 'absent where it was not set' }),
    after: z.unknown().optional().meta({ description: 'absent where it is not set any more' }),
  })
  .meta({ id: 'TemplateChange' })
export type TemplateChange = z.infer<typeof templateChangeSchema>

export const revisionAnswerSchema = z
  .object({
    number: z.int().meta({ description: 'a version that is applied again gets the newest' }),
    version: z.string(),
    createdAt: instant.meta({ description: 'when the version was first applied' }),
    active: z.boolean().meta({ description: 'new replicas get it' }),
    stable: z.boolean().meta({ description: 'the last of which all that were wanted were ready' }),
    changes: z
      .array(templateChangeSchema)
      .optional()
      .meta({ description: 'against the one before; absent where none is kept before it' }),
    template: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Revision', description: 'a version of a workload that can be gone back to' })
export type RevisionAnswer = z.infer<typeof revisionAnswerSchema>

export const revisionsAnswerSchema = z
  .object({ items: z.array(revisionAnswerSchema) })
  .meta({ id: 'Revisions' })
