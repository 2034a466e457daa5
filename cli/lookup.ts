/**
 * Finding what somebody named; and when it is not there, the names they may have meant.
 */
import { z } from 'zod'
import { isNotFound } from './api.ts'
import type { Context } from './command.ts'
import { ProblemError } from './errors.ts'
import { PATH_OF, pluralOf, type Kind, type Target } from './kinds.ts'
import { closest, listOr } from './suggest.ts'

const namedSchema = z.object({ name: z.string() })

/** Runs `work`; a 404 of it leaves with the nearest names in its next step. */
export async function orSuggest<T>(
  { api }: Context,
  { kind, name }: Target,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ProblemError) || !isNotFound(error)) throw error
    // What is not there may be a part of it.
    if (error.problem.code === 'UnknownMetric') throw error
    const { value } = await api.list(PATH_OF[kind], namedSchema)
    throw new ProblemError(
      error.problem,
      nextFor({ kind, name, known: value.map((own) => own.name) }),
    )
  }
}

type Missing = { readonly kind: Kind; readonly name: string; readonly known: readonly string[] }

function nextFor({ kind, name, known }: Missing): string {
  const near = closest(name, known)
  if (near.length > 0) return `did you mean ${listOr(near)}?`
  if (known.length === 0) return `there are no ${pluralOf(kind)} yet`
  return `drover get ${pluralOf(kind)} shows what there is`
}
