/**
 * Load balancers and data, broken on purpose: requests must not go where nobody answers, and nobody
 * may serve half of something, or something else than the others.
 */
import { mutant, planner, reconcile, type Mutant } from './mutant.ts'

export const SERVING_MUTANTS: readonly Mutant[] = [
  mutant('an agent stops at once what is to serve on', 'services', {
    'agent/replica.ts': {
      replace: `order === 'stop' && !(servesOn && process.state === 'up'),`,
      by: `order === 'stop' && !(servesOn && process.state === 'none'),`,
    },
  }),
  mutant('released before the load balancer has let go', 'services', {
    [planner('service')]: {
      replace: `  return state === undefined || state === 'unused'`,
      by: `  return state !== null`,
    },
  }),
  mutant('registered before it is written', 'services', {
    [reconcile('carry-out')]: {
      replace: `  const complete = await fence.write(itemWrites(context, launches))`,
      by: `  await tellBalancers(context)
  const complete = await fence.write(itemWrites(context, launches))`,
    },
  }),
  mutant('nobody is deregistered', 'services', {
    [reconcile('balancing')]: {
      replace: `if (deregister.length > 0) await`,
      by: `if (deregister.length < 0) await`,
    },
  }),
  mutant('another target group, and all leave the old one', 'services', {
    [planner('service')]: {
      replace: `const hasMoved = port !== undefined && port !== balanced.port`,
      by: `const wanted = snapshot.workloads.find(({ uid }) => uid === bound.uid)?.spec.service
      const hasMoved = wanted?.targetGroupArn !== balanced.targetGroupArn`,
    },
  }),
  mutant('ready is whom the agent calls ready', 'services', {
    [planner('observe/readiness')]: {
      replace: `  if (serving === undefined || serving === 'yes') return true`,
      by: `  if (serving !== null) return true`,
    },
  }),
  mutant('started before its data is whole', 'data', {
    'agent/replica.ts': {
      replace: `if (stand.is !== 'whole') return { replica: withoutData(`,
      by: `if (stand.is === 'failed') return { replica: withoutData(`,
    },
  }),
  mutant('a digest that nobody compares', 'data', {
    'agent/data/stand.ts': {
      replace: `held !== undefined && held !== expected`,
      by: `held !== undefined && held === ''`,
    },
  }),
  mutant('data goes while it is served', 'data', {
    'agent/data/settle-data.ts': {
      replace: `...new Set([...wanted.keys(), ...inUse, ...named])`,
      by: `...new Set(named.slice(0, 0 * inUse.length))`,
    },
  }),
  mutant('a source is stampeded', 'data', {
    [planner('target')]: {
      replace: `  return LIMITS.fetchesAtOnce - all`,
      by: `  return 999 - all`,
    },
  }),
]
