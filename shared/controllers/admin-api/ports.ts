/** What the admin API needs from the world. */
import type { Logger } from '#shared/base/log.ts'
import type { Clock } from '#shared/cloud/clock.ts'
import type { Ids } from '#shared/cloud/ids.ts'
import type { CostAnswer, PlanAnswer, RepackAnswer } from '#shared/protocol/api.ts'
import type { Document } from '#shared/protocol/documents.ts'
import type { Store } from '#shared/store/store.ts'

export type AdminApiPorts = {
  readonly store: Store
  readonly history: Store
  readonly clock: Pick<Clock, 'now'>
  readonly ids: Ids
  readonly log: Logger
  /** What the next pass would do if these documents were applied; writes nothing. */
  readonly planner: (documents: readonly Document[]) => Promise<PlanAnswer>
  readonly cost: () => Promise<CostAnswer>
  readonly repack: () => Promise<RepackAnswer>
  /** Of the release, told by `/healthz` and the OpenAPI document. */
  readonly version: string
}
