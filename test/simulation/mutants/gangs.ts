/**
 * Gangs, broken on purpose: whole or not at all is easily said, and each of these forgets a part
 * of it.
 */
import { mutant, planner, type Mutant } from './mutant.ts'

export const GANG_MUTANTS: readonly Mutant[] = [
  mutant('a gang is bound in part', 'gang', {
    [planner('gangs/seek')]: {
      replace: `if (left.length === 0 && rooms.every((own) => own.isFree)) {`,
      by: `if (rooms.some((own) => own.isFree)) {`,
    },
    'shared/planner/gangs/seek.ts#': {
      replace: `bindAll(rooms, {`,
      by: `bindAll(rooms.filter((own) => own.isFree), {`,
    },
  }),
  mutant('a gang goes on without the one it lost', 'gang', {
    [planner('gangs/break-gangs')]: {
      replace: `when: (facts) => isWhole(facts.gang) && hasLost(facts),`,
      by: `when: (facts) => isWhole(facts.gang) && hasLost(facts) && facts.nowMs < 0,`,
    },
  }),
  mutant('a gang starts beside what stops of it', 'gang', {
    [planner('gangs/gang')]: {
      replace: `when: (gang) => gang.stopping > 0 },`,
      by: `when: (gang) => gang.stopping < 0 },`,
    },
  }),
  mutant('one of a gang is moved alone', 'gang', {
    [planner('drain')]: {
      replace: `    if (isGang(target.workload)) return []`,
      by: `    if (isGang(target.workload)) {
      const leaving = mine.filter((own) => isLeaving(own.node))
      return leaving.flatMap((own) => stop(own, { code: 'Moved', text: why(own) }))
    }`,
    },
  }),
  mutant('one of a gang goes alone with its node', 'gang', {
    [planner('gangs/break-gangs')]: {
      replace: `when: ({ gang, due }) => isWhole(gang) && due.length > 0,`,
      by: `when: ({ gang, due }) => isWhole(gang) && due.length < 0,`,
    },
  }),
  mutant('one of a gang gives way alone', 'gang', {
    [planner('preempt')]: {
      replace: `        .filter((own) => !goneIds.has(own.bound.id))`,
      by: `        .filter((own) => goneIds.size < 0 && own)`,
    },
  }),
  mutant('a whole gang is restarted for nothing', 'gang', {
    [planner('gangs/break-gangs')]: {
      replace: `if (running.length >= target.desired) return running.length > target.desired`,
      by: `if (running.length >= target.desired) return part.formed !== undefined`,
    },
  }),
  mutant('a gang that is not ready in time runs on', 'gang', {
    [planner('gangs/break-gangs')]: {
      replace: `gang.part.formed === undefined && isOverdue(gang, nowMs) && !isWholeNow(gang),`,
      by: `nowMs < 0 && isOverdue(gang, nowMs) && !isWholeNow(gang),`,
    },
  }),
  mutant('a gang keeps its room for ever', 'gang', {
    [planner('gangs/gang')]: { replace: `  { state: 'given-up', when: isOverdue },`, by: `` },
  }),
  mutant('a gang tries again without a pause', 'gang', {
    [planner('gangs/outcome')]: {
      replace: `return LIMITS.gangHoldOffMs * 2 **`,
      by: `return 0 * 2 **`,
    },
  }),
  mutant('the pauses of a gang do not grow', 'gang', {
    [planner('gangs/outcome')]: {
      replace: `return LIMITS.gangHoldOffMs * 2 **`,
      by: `return LIMITS.gangHoldOffMs * 1 **`,
    },
  }),
  mutant('gangs begin where another lacks room', 'gang', {
    [planner('gangs/seek')]: {
      replace: `  if (lacking.size === 0) return undefined`,
      by: `  if (lacking.size >= 0) return undefined`,
    },
  }),
  mutant('the room of a gang is given away', 'gang', {
    [planner('gangs/hold')]: {
      replace: `gpus: put(board, slot, demand), isFree: slot.ready }]`,
      by: `gpus: [], isFree: slot.ready }]`,
    },
  }),
  mutant('a node that a gang holds is ended as empty', 'gang', {
    [planner('supply')]: {
      replace: `...[...gangs.values()].flatMap((own) => own.reservations.map(({ node }) => node)),`,
      by: ``,
    },
  }),
  mutant('the room of a gang is never taken up', 'gang', {
    [planner('gangs/hold')]: {
      replace: `on.name === node && own.assignedAtMs > (sinceMs ?? Infinity)`,
      by: `on.name === node`,
    },
  }),
]
