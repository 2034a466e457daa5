/**
 * Drover broken on purpose, a rule at a time.
 */
import { GANG_MUTANTS } from './gangs.ts'
import { admin, inOrdinaryWeather, mutant, planner, reconcile, type Mutant } from './mutant.ts'
import { REPACK_MUTANTS } from './repack.ts'
import { SERVING_MUTANTS } from './serving.ts'
import { SCALING_MUTANTS } from './scaling.ts'

export const MUTANTS: readonly Mutant[] = [
  mutant('bind before the burn-in verdict', '1', {
    [planner('place/board')]: {
      replace: `ready: node.phase === 'ready',`,
      by: `ready: node.phase === 'ready' || node.phase === 'testing',`,
    },
  }),
  mutant('a node that is closed takes replicas', '1', {
    [planner('place/board')]: { replace: `node.closed !== true`, by: `true` },
  }),
  mutant('taints do not matter', '1', {
    [planner('demand')]: { replace: `  return taint === undefined ?`, by: `  return true ?` },
  }),
  mutant('two that are to be apart share a node', 'placement', {
    [planner('place/topology')]: {
      replace: `Math.min(room, 1 - countIn(board, rule, node))`,
      by: `Math.min(room, 2 - countIn(board, rule, node))`,
    },
  }),
  mutant('company is anywhere', 'placement', {
    [planner('place/topology')]: {
      replace: `  return counts === undefined || counts.size === 0 ||`,
      by: `  return true ||`,
    },
  }),
  mutant('a check that was not reported has passed', '1', {
    'shared/controllers/judge.ts': {
      replace: `  if (run.state !== 'finished') return no('the burn-in is still running')`,
      by: ``,
    },
    'shared/controllers/judge.ts#': {
      replace: `      verdict: 'UNKNOWN' as const,`,
      by: `      verdict: 'PASS' as const,`,
    },
  }),
  mutant('a light suite after a failure', '1', {
    [planner('observe/testing')]: {
      replace: `    checks: [...first, ...checks],`,
      by: `    checks: mended.length > 0 ? first.concat(checks.slice(1) as never) : checks,`,
    },
  }),
  mutant('a reboot before it is meant', '5', {
    [reconcile('carry-out')]: {
      replace: `  const complete = await fence.write(itemWrites(context, launches))`,
      by: `  await reboot(context, toReboot(plan.actions, context.draft))
  const complete = await fence.write(itemWrites(context, launches))`,
    },
  }),
  mutant('nobody knows a GPU again', 'known hardware', {
    'shared/controllers/hardware.ts': {
      replace: `if (known === undefined || known.arn === arn) continue`,
      by: `if (known === undefined || known.arn !== '') continue`,
    },
  }),
  mutant('replicas on a node take no room', '2', {
    [planner('place/board')]: {
      replace: `assignment === undefined ? NOTHING : loadOf(assignment)`,
      by: `(void loadOf, void assignment, NOTHING)`,
    },
  }),
  mutant('devices are never used up', '2', {
    [planner('place/devices')]: {
      replace: `for (const { index, milli } of shares) left[index] = (left[index] ?? 0) - milli`,
      by: `void shares`,
    },
  }),
  mutant('drain without replacement', '3', {
    [planner('drain')]: { replace: `if (ledger.grant(own, ledger.desired)) {`, by: `if (ready) {` },
  }),
  mutant('a roll-out that asks no ledger', '3', {
    [planner('rollout/stops')]: {
      replace: `const mayGo = isServing ? ledger.grant(replica) : `,
      by: `const mayGo = isServing ? true : `,
    },
  }),
  mutant('reliable nodes are like all others', '3', {
    [planner('ledger')]: {
      replace: `if (left <= keep || (isReliable(replica) && spare <= 0)) return false`,
      by: `if (left <= keep) return false`,
    },
  }),
  mutant('a roll-out that has failed goes on', 'roll-out', {
    [planner('rollout/steps')]: {
      replace: `  if (failed !== undefined) return refill(course, counts, room)`,
      by: `  if (failed !== undefined && room < -9_999) return refill(course, counts, room)`,
    },
  }),
  mutant('a new version is tried everywhere at once', 'roll-out', {
    [planner('rollout/steps')]: {
      replace: `  return Math.max(0, breaker - failures - inFlight)`,
      by: `  return Math.max(0, breaker - failures - inFlight) + 999`,
    },
  }),
  mutant('what stops leaves its room at once', 'roll-out', {
    [planner('rollout/steps')]: {
      replace: `rollRoom(workload.spec, allowed).surge - staying.length - stopping`,
      by: `rollRoom(workload.spec, allowed).surge - staying.length - 0 * stopping`,
    },
  }),
  mutant('a failed version takes the place of the proven one', 'roll-out', {
    [planner('rollout/steps')]: {
      replace: `  if (failed === undefined) return staying.filter((own) => !isOf(active)(own))`,
      by: `  if (failed !== null) return staying.filter((own) => !isOf(active)(own))`,
    },
  }),
  mutant('nobody remembers that a roll-out has failed', 'roll-out', {
    [planner('status/rollout-status')]: {
      replace: `undone: course.undone, failed: course.failed })`,
      by: `undone: course.undone, failed: undefined })`,
    },
  }),
  mutant('nobody waits for those it depends on', 'dependencies', {
    [planner('dependencies')]: {
      replace: `if (reasons.length === 0) free.push(target)`,
      by: `if (reasons.length >= 0) free.push(target)`,
    },
  }),
  mutant('what has run waits again', 'dependencies', {
    [planner('dependencies')]: {
      replace: `  return status?.firstStartedAtMs !== undefined || replicasByUid`,
      by: `  return replicasByUid`,
    },
  }),
  mutant('those in a circle wait for each other', '10 convergence', {
    [planner('dependencies')]: {
      replace: `.filter((own) => !circle.includes(own))`,
      by: `.filter((own) => !circle.includes(own) || own.length > 0)`,
    },
  }),
  // In heavy weather drover's memory is short, and strays are older than it.
  inOrdinaryWeather('nobody sweeps', '4', {
    [planner('sweep')]: { replace: `    firstSeenMs !== undefined &&`, by: `    false &&` },
  }),
  mutant('launch before intent', '5', {
    [reconcile('carry-out')]: {
      replace: `  const complete = await fence.write(itemWrites(context, launches))`,
      by: `  await launchAll(context, launches.fresh)
  const complete = await fence.write(itemWrites(context, launches))`,
    },
  }),
  mutant('attempt + 1 on a lost answer', '5', {
    [reconcile('launching')]: {
      replace: `  const open: Launch = { ...launch, unknownSinceMs, unknownText: text }`,
      by: `  const next = { id: launch.id, attempt: launch.attempt + 1 }
  const again = { ...requestOf(launch), token: tokenOf(next, context.settings.cluster) }
  const tags = { ...again.tags, [TAGS.launch]: launchTag(next) }
  const request = JSON.stringify({ ...again, tags })
  const open: Launch = { ...launch, ...next, request, unknownSinceMs, unknownText: text }`,
    },
  }),
  mutant('an old intent is sent for ever', '5', {
    [planner('launches')]: { replace: `if (nowMs < launch.notAfterMs) {`, by: `if (nowMs > 0) {` },
    [reconcile('carry-out')]: {
      replace: `if (startMs >= launch.notAfterMs) {`,
      by: `if (startMs < 0) {`,
    },
  }),
  mutant('claims do not count towards limits', '6', {
    [planner('provision/pool-limits')]: {
      replace: `    count(node.pool, chargeOf(node, types))`,
      by: `    if (node.machine !== undefined) count(node.pool, chargeOf(node, types))`,
    },
  }),
  mutant('a claim is charged as its smallest candidate', '6', {
    [planner('provision/claims')]: {
      replace: `    largest: fold(candidates, Math.max, shapeOf),`,
      by: `    largest: fold(candidates, Math.min, (own) => ({ ...shapeOf(own), cpuMilli: 0 })),`,
    },
  }),
  mutant('quotas bind nobody', '7', {
    [planner('admit')]: {
      replace: `if (teams.length === 0) return`,
      by: `if (teams.length >= 0) return`,
    },
  }),
  mutant('what a team is guaranteed gives way too', '7', {
    [planner('preempt/victims')]: {
      replace: `const onLoan = own.borrowed > 0 ? use.onLoan(spec.team, need, lacked) : []`,
      by: `const onLoan = lacked`,
    },
  }),
  mutant('firm work gives way too', '7', {
    [planner('preempt/victims')]: {
      replace: `  return spec.preemptible
`,
      by: `  return spec !== undefined
`,
    },
    [planner('admit/applicants')]: {
      replace: `  if (spec.preemptible) return 0
`,
      by: `  if (count >= 0) return 0
`,
    },
  }),
  mutant('nobody gives way', '7', {
    [planner('preempt')]: {
      replace: `if (entitled.length === 0) return NOBODY`,
      by: `if (entitled.length >= 0) return NOBODY`,
    },
  }),
  mutant('each team is guaranteed the whole pot', '7', {
    [planner('quota/weighted-fair-share')]: {
      replace: `Math.floor(totalOf(written, own) * part)`,
      by: `Math.floor(totalOf(written, own) * Math.ceil(part))`,
    },
  }),
  mutant('headroom is bought and not kept', 'headroom', {
    [planner('supply')]: { replace: `...spare.used, ...more.bought],`, by: `...more.bought],` },
  }),
  mutant('no on-demand base', '8', {
    [planner('replicas')]: {
      replace: `Math.max(onDemandBase, share, minReliableOf(spec, desired))`,
      by: `Math.min(onDemandBase, share, 0)`,
    },
  }),
  mutant('ids that outlive their plan', '9', {
    [planner('ids')]: {
      replace: `  let n = 0
  return {`,
      by: `  return {`,
    },
    'shared/planner/ids.ts#': {
      replace: `export type IdMaker`,
      by: `let n = 0\nexport type IdMaker`,
    },
  }),
  mutant('shortages in the order of the scan', '9', {
    'shared/store/snapshot.ts': {
      replace: `shortage: arranging(byKey((own) => offeringKey(own))),`,
      by: `shortage: (void offeringKey, arranging()),`,
    },
  }),
  mutant('what was remembered of a workload is not looked at again', '9', {
    [planner('replicas')]: {
      replace: `const group = touched.has(uid) ? fresh.get(uid) : before.replicas.get(uid)`,
      by: `const group = before.replicas.get(uid) ?? fresh.get(uid)`,
    },
  }),
  mutant('what agents said is not heard again', '9', {
    [planner('status/told')]: {
      replace: `known.by === before && !changed.some((arn) => arnsOf(running).has(arn))`,
      by: `(void changed, void arnsOf, known.by === before)`,
    },
  }),
  mutant('a dedup id without its bucket', '10', {
    'shared/cloud/wake-timing.ts': {
      replace: `return String(Math.floor(nowMs / LIMITS.wakeBucketMs))`,
      by: `return String(nowMs > 0)`,
    },
  }),
  mutant('specs wake nobody', '10', {
    'shared/controllers/wake.ts': { replace: `  ['spec', ['updatedAtMs']],`, by: `` },
  }),
  mutant('an adopted process is never ready', '10', {
    'agent/facts.ts': { replace: `ready: known.ready || (`, by: `ready: known.ready && (` },
  }),
  mutant('one bad item fails the pass', '11', {
    'shared/store/parse-items.ts': {
      replace: `  return fault(result.error.issues[0]?.message ?? 'does not parse')`,
      by: `  throw result.error`,
    },
  }),
  inOrdinaryWeather('one that fits nowhere fails the pass', '11', {
    [planner('provision/offers')]: {
      replace: `  return pools.map(({ pool, taint }) => {
    if`,
      by: `  if (pools.length > 0) throw new Error('no machine holds it')
  return pools.map(({ pool, taint }) => {
    if`,
    },
  }),
  inOrdinaryWeather('the clock itself is a reason', '10', {
    [planner('retest')]: {
      replace: `  if (isOverdue === (overdueSinceMs !== undefined)) return []`,
      by: `  if (Math.floor(nowMs / 1000) % 8 === 0) return [note(node, {}, 'again')]
  if (isOverdue === (overdueSinceMs !== undefined)) return []`,
    },
  }),
  mutant('a bad image is no reason to brake', '12', {
    [planner('brake')]: {
      replace: `(own.imageId === undefined ? undefined :`,
      by: `(own.imageId !== 'none' ? undefined :`,
    },
  }),
  mutant('no brakes', '12', {
    [planner('brake')]: {
      replace: `if (!isAllowed(entry, [...before, ...fresh])) return false`,
      by: `if (!isAllowed(entry, [...before, ...fresh]) && nowMs < 0) return false`,
    },
  }),
  mutant('a bad image is bought for everybody', '12', {
    [planner('brake/burn-ins')]: {
      replace: `if (record?.trippedAtMs === undefined) return undefined`,
      by: `if (record?.trippedAtMs !== 0) return undefined`,
    },
  }),
  mutant('each pass tries one more of a bad image', '12', {
    [planner('provision/buying-brake')]: {
      replace: `      if (!COMING.includes(node.phase)) continue`,
      by: `      if (!COMING.includes(node.phase) || node.name !== '') continue`,
    },
  }),
  mutant('silence taken for death', 'silence', {
    [planner('observe/silence')]: {
      replace: `if (proof === undefined || !brakes.condemn(node, LOST)) return actions`,
      by: `if (!brakes.condemn(node, LOST)) return actions`,
    },
    'shared/planner/observe/silence.ts#': { replace: `text: proof }`, by: `text: String(proof) }` },
    'shared/planner/observe/silence#.ts': {
      replace: `nowMs - Math.max(beat?.atMs ?? 0, pass.coveredSinceMs, machine.launchedAtMs)`,
      by: `nowMs - Math.max(beat?.atMs ?? 0, machine.launchedAtMs + 0 * pass.epoch)`,
    },
    'shared/planner#/observe/silence.ts': {
      replace: `silent.size > 1 &&`,
      by: `silent.size < 0 &&`,
    },
  }),
  mutant('no epoch check', 'fence', {
    [reconcile('fence')]: {
      replace: `when: [equal('epoch', pass.epoch)] }\n    for`,
      by: `when: [{ is: 'present' }] }\n    for`,
    },
  }),
  inOrdinaryWeather('a sweep after one listing', 'intent before effect', {
    [planner('sweep')]: {
      replace: `    firstSeenMs !== undefined &&
    listedAtMs - firstSeenMs >= LIMITS.sweepEveryMs &&
    listedAtMs - orphan.launchedAtMs > LIMITS.sweepMinAgeMs`,
      by: `    firstSeenMs !== 0`,
    },
  }),
  mutant('terminated before it is written', 'intent before effect', {
    [reconcile('carry-out')]: {
      replace: `  const complete = await fence.write(itemWrites(context, launches))`,
      by: `  await terminate(context, toTerminate(plan.actions, context.draft))
  const complete = await fence.write(itemWrites(context, launches))`,
    },
  }),
  mutant('terminating is taken back', 'terminating is never taken back', {
    [planner('retire')]: {
      replace: `  return [{ kind: 'terminate', node: node.name, reason }]`,
      by: `  return [{ kind: 'advance', node: node.name, to: 'draining', changes: {}, reason }]`,
    },
  }),
  mutant('a machine ends while its work still stops', 'empty before the end', {
    [planner('retire')]: {
      replace: `  if (isEmpty(facts)) {`,
      by: `  if ((facts.assignment?.replicas ?? []).every((own) => own.order === 'stop')) {`,
    },
  }),
  mutant('empty without its generation', 'empty before the end', {
    [planner('observe/readiness')]: {
      replace: `  if (own !== undefined) return own.phase === 'gone'
  return (report?.observedGeneration ?? 0) >= assignment.generation`,
      by: `  return own?.phase !== 'ready' && report !== assignment`,
    },
    [planner('retire')]: {
      replace: `    node.drain.generation > 0 &&
    report.observedGeneration >= node.drain.generation &&
    report.replicas.every((own) => own.phase === 'gone')`,
      by: `    node.drain.generation >= 0`,
    },
  }),
  mutant('orders without a new generation', 'generations', {
    [planner('fold')]: { replace: `(moved ? 1 : 0)`, by: `(moved ? 0 : 0)` },
  }),
  mutant('a stop is taken back', 'generations', {
    [planner('fold')]: {
      replace: `...(readySinceMs === undefined ? {} : { readySinceMs }),`,
      by: `...(readySinceMs === undefined ? { order: 'run' as const } : { readySinceMs }),`,
    },
  }),
  mutant('a verdict becomes milder', 'verdicts', {
    'shared/controllers/burn-in.ts': {
      replace: `  return sameRun && VERDICT_ORDER`,
      by: `  return !sameRun && VERDICT_ORDER`,
    },
  }),
  mutant('reconcile writes verdicts', 'one writer', {
    [reconcile('carry-out')]: {
      replace: `    ...plan.brakes.map((brake) => [putBrake(brake)]),`,
      by: `    ...plan.brakes.map((brake) => [putBrake(brake)]),
    ...snapshot.verdicts.slice(0, 1).map((own): Write[] => {
      const key = { pk: \`verdict#\${own.node}\`, sk: 'verdict' }
      return [{ kind: 'put', item: { ...own, ...key, atMs: plan.nowMs } }]
    }),`,
    },
  }),
  mutant('what is not listed is gone', '4', {
    [reconcile('reconcile')]: {
      replace: `  if (missing.length === 0) return listing`,
      by: `  if (missing.length >= 0) return listing`,
    },
    [planner('observe')]: {
      replace: `  if (nowMs - node.missingSinceMs < LIMITS.notFoundConfirmMs) return []`,
      by: ``,
    },
    'shared/planner/observe.ts#': {
      replace: `  if (node.missingSinceMs === undefined) {
    return [note(node.name, { missingSinceMs: nowMs }, 'EC2 does not list the machine')]
  }`,
      by: ``,
    },
  }),
  mutant('a new version without its revision', 'revisions', {
    [admin('change-spec')]: {
      replace: `if (newest?.version === version) return undefined`,
      by: `if (kept.length > 0) return undefined`,
    },
  }),
  mutant('a revision is written anew', 'revisions', {
    [admin('change-spec')]: {
      replace: `const known = kept.find((own) => own.version === version) ?? fresh`,
      by: `const known = fresh`,
    },
  }),
  mutant('revisions go while they are few', 'revisions', {
    [admin('change-spec')]: {
      replace: `others.length - LIMITS.revisionsKept + 1`,
      by: `others.length - 1`,
    },
  }),
  mutant('a roll-out keeps nothing', 'revisions', {
    [admin('change-spec')]: {
      replace: `.filter(({ version }) => !named.has(version))`,
      by: `.filter(({ version }) => !named.has(version + ' '))`,
    },
  }),
  mutant('a failure is counted at each look', 'failures', {
    [planner('observe/failures')]: {
      replace: `    const failures = {
      crashes,`,
      by: `    const failures = {
      crashes: 0 * crashes,`,
    },
  }),
  mutant('nobody takes in failures', 'failures', {
    [planner('observe/failures')]: {
      replace: `report === undefined || isExcused(facts)) return []`,
      by: `report === undefined || isExcused(facts) || nowMs > 0) return []`,
    },
  }),
  ...REPACK_MUTANTS,
  ...GANG_MUTANTS,
  ...SERVING_MUTANTS,
  ...SCALING_MUTANTS,
]
