/**
 * Autoscaling, broken on purpose: it forgets its bounds, or that a roll-out is under way.
 */
import { mutant, planner, type Mutant } from './mutant.ts'

export const SCALING_MUTANTS: readonly Mutant[] = [
  mutant('a target beyond max', 'scaling', {
    [planner('scaling/recommend')]: {
      replace: `const bounded = within(scale, allowed)`,
      by: `const bounded = Math.max(scale.min, allowed)`,
    },
  }),
  mutant('a target goes down while rolling', 'scaling', {
    [planner('scaling/recommend')]: {
      replace: `if (facts.isRolling && allowed < current) {`,
      by: `if (facts.isRolling && allowed < 0) {`,
    },
  }),
]
