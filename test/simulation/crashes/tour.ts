/**
 * A short world in which every controller does everything it can do, for crashes to be tried in.
 *
 * Nothing goes wrong in it by chance: what goes wrong is in the script, so that the ways through
 * the controllers which only trouble opens are walked as well.
 */
import type { ToldWorld } from '../case.ts'
import { METRIC, queueOf } from '../scaled.ts'
import type { Document, Happening, Step } from '../script.ts'
import { TARGET_GROUPS } from '../serving.ts'

const workload = (name: string, more: Readonly<Record<string, unknown>> = {}): Document => ({
  ...{ kind: 'Workload', name, command: ['serve'], replicas: 2, terminationGraceSeconds: 5 },
  resources: { cpu: '500m', memory: '512Mi' },
  ...more,
})

/** Behind a load balancer, with data; each life is another version of that. */
const shop = (life: number, more: Readonly<Record<string, unknown>> = {}): Document =>
  workload('shop', {
    ...{ ports: [{ name: 'http' }], service: { targetGroupArn: TARGET_GROUPS[0] } },
    data: { version: String(life), source: `s3://acme/shop/${String(life)}/` },
    resources: { cpu: '100m', memory: '128Mi', disk: '256Mi' },
    ...more,
  })

const at = (seconds: number, happening: Happening): Step => ({
  atMs: seconds * 1000,
  ...happening,
})

const ask = (seconds: number, document: Document): Step => at(seconds, { kind: 'apply', document })

const FLOW = {
  ...{ min: 1, max: 3 },
  metrics: [{ type: 'pushed', name: METRIC, target: 10 }, queueOf('flow')],
}

/** Twelve minutes. */
export const TOUR: ToldWorld = {
  options: { seed: 7, days: 12 / (24 * 60), profile: 'heavy', herd: 'small' },
  plan: {
    types: ['m7a.medium', 'm7a.large', 'c7a.large', 'g4dn.xlarge'],
    capacity: { min: 2, max: 5 },
    script: [
      ask(1, { kind: 'Team', name: 'discovery' }),
      ask(1.2, {
        ...{ kind: 'Pool', name: 'general', instances: { families: ['m7a', 'c7a'] } },
        burnIn: { onFailure: 'reboot' },
      }),
      ask(1.4, {
        ...{
          kind: 'Pool',
          name: 'gpu',
          instances: { families: ['g4dn'] },
          taints: [{ key: 'gpu' }],
        },
        burnIn: { quarantineSeconds: 60 },
      }),
      ask(1.6, {
        kind: 'Pool',
        name: 'spare',
        instances: { families: ['m7a'] },
        taints: [{ key: 'x' }],
      }),
      ask(2, workload('web', { availability: { minAvailable: 1 }, placement: { spread: 'zone' } })),
      ask(2.2, workload('base', { capacity: { onDemandBase: 1 } })),
      ask(
        2.4,
        workload('gpus', { resources: { cpu: '1', gpu: '1' }, tolerations: [{ key: 'gpu' }] }),
      ),
      ask(2.6, workload('huge', { resources: { cpu: '900' } })),
      at(150, { kind: 'look' }),
      at(160, { kind: 'scale', name: 'web', replicas: 4 }),
      ask(200, workload('base', { env: { LIFE: '2' }, capacity: { onDemandBase: 1 } })),
      at(240, { kind: 'order', verb: 'cordon' }),
      at(250, { kind: 'withdraw' }),
      at(260, { kind: 'interrupt', noticeSeconds: 120 }),
      at(300, { kind: 'order', verb: 'drain' }),
      at(305, { kind: 'release-brake', pool: 'general' }),
      at(310, { kind: 'stray' }),
      at(330, { kind: 'impair' }),
      // Of all at once none counts as lost: they stay silent, and EC2 is asked of them.
      at(520, { kind: 'hang', forMs: 110_000, everybody: true }),
      at(420, { kind: 'order', verb: 'retest' }),
      at(425, { kind: 'unlist', forMs: 90_000 }),
      at(450, { kind: 'machine-death' }),
      at(480, { kind: 'allow-sweep' }),
      at(500, { kind: 'delete', noun: 'workload', name: 'gpus' }),
      ask(
        560,
        workload('gpus', { resources: { cpu: '1', gpu: '1' }, tolerations: [{ key: 'gpu' }] }),
      ),
      at(600, { kind: 'look' }),
      at(640, { kind: 'order', verb: 'terminate' }),
      at(680, { kind: 'scale', name: 'web', replicas: 1 }),
      at(690, { kind: 'delete', noun: 'pool', name: 'spare' }),
      // Whom a step strikes hangs on its place in this list, so what came later stands here.
      at(205, { kind: 'rollout', name: 'web', action: 'pause' }),
      at(215, { kind: 'rollout', name: 'web', action: 'resume' }),
      at(230, { kind: 'rollout', name: 'base', action: 'undo' }),
      at(90, { kind: 'clear-hardware' }),
      ask(140, shop(1)),
      ask(200, shop(2)),
      at(290, { kind: 'delete', noun: 'workload', name: 'shop' }),
      ask(566, workload('flow', { replicas: undefined, scale: FLOW })),
      at(570, { kind: 'push', name: 'flow', value: 15 }),
      at(632, { kind: 'push', name: 'flow', value: 25 }),
      at(644, { kind: 'delete', noun: 'workload', name: 'flow' }),
    ],
  },
  // A lost launch is found by its tag, a shortage is remembered, a verdict is missed.
  only: new Set([
    ...['answersLost launch 2', 'throttled launch 4', 'badHardware m3', 'eventLost event 2'],
    // The host of the first GPU machine.
    'badGpus GPU-00000000-0000-0000-0000-7e458f607170',
    // Checks that hang or cannot tell, so that a schedule finds somebody without a verdict.
    ...['m2', 'm4', 'm5', 'm6', 'm7'].map((name) => `flakyChecks ${name} check 1`),
  ]),
}
