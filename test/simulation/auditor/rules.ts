/**
 * Names of the rules that are judged: with the number that a rule has in DESIGN §5, or in words
 * where it follows from §4 or §6.
 *
 * Each must have caught a mutant, or nobody knows whether it would catch anything at all:
 * `npm run sim:mutants` names those that did not.
 */
export const RULES = [
  '1 bound after burn-in',
  '2 room',
  '3 ledger',
  '4 orphans',
  '5 launches once',
  '6 limits',
  '7 quota',
  '9 same plan',
  // Rule 8 is judged with it, and headroom.
  '10 convergence',
  '10 nothing new',
  '10 seen in time',
  '11 a pass failed',
  '11 one bad thing',
  '12 brakes',
  '12 brakes on buying',
  'a light pass clears no deep failure',
  'data',
  'dependencies',
  'empty before the end',
  'failures',
  'fence',
  'gang',
  'generations',
  'gone',
  'intent before effect',
  'one writer',
  'placement',
  'rejected hardware stays out',
  'repack',
  'revisions',
  'roll-out',
  'scaling',
  'services',
  'silence is not death',
  'terminating is never taken back',
  'verdicts',
] as const

/** `books`: the auditor is at fault itself, for what it keeps is not what the table holds. */
export type RuleName = (typeof RULES)[number] | 'books'
