/**
 * Who may write a team's workloads, and how important those may be.
 *
 * The caller is who API Gateway says it is, which no header of a client can change. A laptop's
 * drover asks nobody who they are, and lets everybody write.
 */
import type { SpecItem, TeamItem } from '#shared/model/spec-item.ts'
import type { Document } from '#shared/protocol/documents.ts'
import { invalid, problem } from './problem.ts'

/** An IAM user, role or session; `arn` is undefined where the request was let in without one. */
export type Caller = { readonly arn: string | undefined }

/** What Hono is handed beside a request. */
export type RequestEnvironment = { readonly caller?: Caller } | undefined

export type Writing = {
  readonly teams: readonly TeamItem[]
  /** Undefined where nobody is asked who they are. */
  readonly caller: Caller | undefined
  readonly live: SpecItem | undefined
  /** Undefined for a DELETE. */
  readonly next: Document | undefined
}

/** Why the caller may not make this of a workload; undefined where it may, or it is none. */
export function refuseWriter(writing: Writing): Response | undefined {
  const { teams, caller, live, next } = writing
  const names = [live, next].flatMap((own) => (own?.noun === 'workload' ? [own.spec.team] : []))
  for (const team of teams.filter((own) => names.includes(own.name))) {
    if (caller !== undefined && !isAmong(caller, team.spec.principals)) {
      return notPrincipal(team.name, caller)
    }
  }
  return next === undefined ? undefined : refusePriority(teams, next)
}

function refusePriority(teams: readonly TeamItem[], next: Document): Response | undefined {
  if (next.noun !== 'workload') return undefined
  const { team: name, priority } = next.spec
  const most = teams.find((own) => own.name === name)?.spec.maxPriority ?? Infinity
  if (priority <= most) return undefined
  const limit = `${String(most)}, the maxPriority of team ${String(name)}`
  const message = `must be at most ${limit}; it was ${String(priority)}`
  return invalid([{ path: 'priority', message }], 'PriorityTooHigh')
}

function notPrincipal(team: string, { arn }: Caller): Response {
  const who = arn === undefined ? 'a caller without an identity' : arn.slice(0, 300)
  return problem({
    status: 403,
    code: 'NotPrincipal',
    detail: `only the principals of team ${team} write its workloads, and ${who} is none of them`,
  })
}

/** True where the team names nobody: then whoever reaches the API may write. */
function isAmong({ arn }: Caller, principals: readonly string[]): boolean {
  if (principals.length === 0) return true
  return arn !== undefined && principals.some((own) => isCovered(arn, own))
}

const SESSION = /^arn:(aws[a-z-]*):sts::(\d{12}):assumed-role\/([^/]+)\/.+$/
const ROLE = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/

/** The very identity, or a session of the role. A session's ARN does not tell the role's path. */
function isCovered(arn: string, principal: string): boolean {
  if (arn === principal) return true
  const [session, role] = [SESSION.exec(arn), ROLE.exec(principal)]
  return session !== null && role !== null && same(session.slice(1), role.slice(1))
}

const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.every((own, i) => own === b[i])
