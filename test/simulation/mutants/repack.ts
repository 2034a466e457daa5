/**
 * Repacking, broken on purpose: nobody has asked for these moves, so each must save money, end, and
 * leave alone whoever lacks something.
 */
import { mutant, planner, type Mutant } from './mutant.ts'

export const REPACK_MUTANTS: readonly Mutant[] = [
  mutant('no look at prices as launched', 'repack', {
    [planner('repack')]: {
      replace: `const why = dearer ?? whyNoRoom(context, mark)`,
      by: `const why = (void dearer, whyNoRoom(context, mark))`,
    },
  }),
  mutant('any saving will do', 'repack', {
    [planner('repack/saving')]: {
      replace: `- DUST && net >= LIMITS.repackLeastUsdPerHour`,
      by: `- 1000 && net > -DUST`,
    },
  }),
  mutant('drained before the new machines are ready', 'repack', {
    [planner('repack')]: {
      replace: `if (launch.some((own) => own.phase !== 'ready')) return`,
      by: `if (launch.some((own) => own.phase === 'launching')) return`,
    },
  }),
  mutant('drained before others moved aside', 'repack', {
    [planner('repack')]: {
      replace: `  if (isShifting(desk, group)) return\n`,
      by: ``,
    },
  }),
  mutant('a repack never ends', 'repack', {
    [planner('repack/groups')]: {
      replace: `  if (snapshot.nowMs >= mark.untilMs) {`,
      by: `  if (snapshot.nowMs < 0) {`,
    },
    'shared/planner/repack/groups.ts#': {
      replace: `  if (nowMs >= mark.untilMs) {`,
      by: `  if (nowMs < 0) {`,
    },
  }),
  mutant('a repack takes from who lacks something', 'repack', {
    [planner('repack/herd')]: {
      replace: `assignment?.replicas.some((own) => herd.unsettled.has(own.uid)) ?? false,`,
      by: `assignment?.replicas.some((own) => herd.unsettled.has(own.uid + ' ')) ?? false,`,
    },
  }),
  mutant('a repack asks no brake', '12', {
    [planner('brake')]: {
      replace: `if (nodes.every((node) => book(node, reason))) return undefined`,
      by: `if (nodes.every((node) => book(node, reason)) || fresh.length >= 0) return undefined`,
    },
  }),
  mutant('a repack asks no budget', 'repack', {
    [planner('repack')]: {
      replace: `return moving + retire.filter((own) => own.pool === pool).length <= most`,
      by: `return moving >= 0 || retire.length <= most`,
    },
  }),
]
