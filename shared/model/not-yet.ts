/**
 * Fields whose work is not built yet.
 *
 * They are in the schema from the start, so that a client may know them and a misspelling is still
 * told apart; a value in one is refused with a code of its own and not accepted and ignored.
 */
import type { z } from 'zod'

/** Found at the start of a zod issue's message when its code should be `NotYetSupported`. */
export const NOT_YET = 'is not supported yet'

/** The schema, optional, refusing every value with `NotYetSupported` after checking its shape. */
export function notYet<T extends z.ZodType>(schema: T, what: string): z.ZodOptional<T> {
  return schema
    .superRefine((value, context) => {
      if (value !== undefined) refuse(context as z.RefinementCtx, what)
    })
    .optional()
    .describe(`not supported yet: ${what}`)
}

function refuse(context: z.RefinementCtx, what: string): void {
  context.addIssue({
    code: 'custom',
    message: `${NOT_YET}: ${what} comes in a later release`,
    params: { code: 'NotYetSupported' },
  })
}

notYet.refuse = refuse
