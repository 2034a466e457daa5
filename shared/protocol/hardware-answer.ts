/**
 * What the admin API answers to those who ask about a GPU.
 */
import { z } from 'zod'
import { instant } from './api.ts'

export const hardwareAnswerSchema = z
  .object({
    id: z.string().meta({ description: 'UUID of a GPU, or `set:` and a hash of several' }),
    serial: z.string().optional(),
    state: z.enum(['certified', 'rejected']),
    refused: z.boolean().meta({ description: 'whether a machine with it is refused untested' }),
    suite: z.string(),
    checks: z.array(z.object({ name: z.string(), verdict: z.string() })),
    text: z.string().meta({ description: 'what was found, where it was rejected' }),
    node: z.string().meta({ description: 'the machine it was in then' }),
    at: instant,
    clearedAt: instant.optional().meta({ description: 'when a person said that it is sound' }),
  })
  .meta({ id: 'Hardware', description: 'what is known of a GPU, or of all GPUs of a machine' })
export type HardwareAnswer = z.infer<typeof hardwareAnswerSchema>
