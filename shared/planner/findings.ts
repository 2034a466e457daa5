/**
 * What a node's findings come to by now: a test that it passed since counts, and so does a finding
 * that came back after one.
 */
import { responseTo, RESPONSES, type NodeFinding, type Response } from '../model/health.ts'
import { LIMITS } from '../model/limits.ts'
import type { Node } from '../model/node.ts'

const NONE: readonly NodeFinding[] = Object.freeze([])

export const findingsOf = ({ health }: Node): readonly NodeFinding[] => health ?? NONE

/** The node has passed its burn-in since. */
export function isCleared({ sinceMs }: NodeFinding, { burnIn }: Node): boolean {
  return (burnIn?.admittedAtMs ?? -Infinity) > sinceMs
}

/** What the finding asks for now; one that is gone asks for nothing. */
export function askedBy(finding: NodeFinding, node: Node): Response {
  const response = responseTo(finding.reason)
  if (isGone(finding)) return 'observe'
  if (response !== 'retest') return response
  if (isCleared(finding, node)) return 'observe'
  return finding.isBack === true ? 'replace' : 'retest'
}

/** How severe it is: the more, the worse. */
export const severityOf = (response: Response): number => RESPONSES.indexOf(response)

/** Something that a test can tell was found, there still or not, and no test has cleared it yet. */
export function isSuspect(node: Node): boolean {
  return findingsOf(node).some(
    (own) => responseTo(own.reason) === 'retest' && !isCleared(own, node),
  )
}

export const isGone = ({ goneSinceMs }: NodeFinding): boolean => goneSinceMs !== undefined

/** When a finding that is gone is as good as never made. */
export function forgottenAtMs({ sinceMs }: NodeFinding): number {
  return sinceMs + LIMITS.healthMemoryMs
}
