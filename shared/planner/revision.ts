/**
 * What a spec or a template comes to: its version, what a replica of it needs, what it weighs.
 *
 * Every pass asks this of every workload and every bound replica, and the answer hangs on nothing
 * but the spec or the template itself. So it is worked out once for each of them that is frozen.
 */
import { jsonBytes } from '../base/bytes.ts'
import { remembered } from '../base/remembered.ts'
import type { Resources } from '../model/quantities.ts'
import { templateOf, versionOf, type Template } from '../model/version.ts'
import { resourcesOf, type WorkloadSpec } from '../model/workload.ts'

export type Weight = {
  /** What one replica asks for. */
  readonly need: Resources
  /** What the template takes in an assignment. */
  readonly templateBytes: number
}

export type Revision = Weight & {
  readonly template: Template
  readonly version: string
}

/** Of a template as an assignment carries it. */
export const weightOf = remembered((template: Template): Weight => {
  return { need: resourcesOf(template), templateBytes: jsonBytes(template) }
})

/** Of a workload's spec as it stands. */
export const revisionOf = remembered((spec: WorkloadSpec): Revision => {
  const template = Object.freeze(templateOf(spec))
  return { template, version: versionOf(template), ...weightOf(template) }
})
