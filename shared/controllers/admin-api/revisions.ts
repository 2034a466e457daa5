/**
 * The revisions of a workload as people read them: what each one changed, and which of them count.
 */
import { sameJson } from '#shared/base/equal.ts'
import type { Revision, WorkloadItem } from '#shared/model/spec-item.ts'
import type { WorkloadStatus } from '#shared/model/status.ts'
import { templateOf, versionOf } from '#shared/model/version.ts'
import type { RevisionAnswer, TemplateChange } from '#shared/protocol/why-answers.ts'
import { isoOf } from './answers.ts'

/** In the order of the revisions, which is that of their numbers. */
export function revisionAnswers(
  revisions: readonly Revision[],
  { spec, status }: { readonly spec: WorkloadItem; readonly status: WorkloadStatus | undefined },
): RevisionAnswer[] {
  const active = status?.rollout?.active ?? versionOf(templateOf(spec.spec))
  const stable = status?.rollout?.stable
  return revisions.map(({ number, version, createdAtMs, template }, i) => {
    const before = revisions[i - 1]
    return {
      number,
      version,
      createdAt: isoOf(createdAtMs),
      active: version === active,
      stable: version === stable,
      ...(before === undefined ? {} : { changes: changesOf(before.template, template) }),
      template,
    }
  })
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Field by field what differs, lists as a whole, by path. */
export function changesOf(before: Fields, after: Fields, path = ''): TemplateChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names.flatMap((name): TemplateChange[] => {
    const [was, is] = [before[name], after[name]]
    const own = `${path}${name}`
    if (isFields(was) && isFields(is)) return changesOf(was, is, `${own}.`)
    if (sameJson(was, is)) return []
    const sides = {
      ...(was === undefined ? {} : { before: was }),
      ...(is === undefined ? {} : { after: is }),
    }
    return [{ path: own, ...sides }]
  })
}
