/**
 * Every operation of the admin API, as data: what the OpenAPI document says of paths is made from
 * it, and a test holds it against the routes that are really served.
 */
import type { z } from 'zod'
import { LIMITS } from '../model/limits.ts'
import { KIND_OF, NOUNS, PLURAL_OF, type Noun } from '../model/names.ts'
import * as api from './api.ts'
import { endpointsAnswerSchema } from './endpoints-answer.ts'
import { hardwareAnswerSchema } from './hardware-answer.ts'
import { pushAnswerSchema, pushRequestSchema } from './scale-answer.ts'
import * as why from './why-answers.ts'

export type Parameter = {
  readonly name: string
  readonly text: string
  readonly schema: JsonSchema
}
type JsonSchema = Readonly<Record<string, unknown>>

export type Operation = {
  readonly id: string
  readonly method: 'get' | 'put' | 'post' | 'delete'
  /** With `{name}` where a name stands. */
  readonly path: string
  readonly summary: string
  readonly query?: readonly Parameter[]
  readonly headers?: readonly Parameter[]
  /** A schema, or the name of the component of a document. */
  readonly body?: { schema: z.ZodType | string; required: boolean }
  readonly answers: Readonly<Record<number, z.ZodType | undefined>>
  /** Which problems a client may meet, besides a 503. */
  readonly problems: readonly number[]
}

const text = { type: 'string' }
const page: readonly Parameter[] = [
  {
    name: 'limit',
    text: `how many at most; ${String(LIMITS.pageDefaultItems)} unless given`,
    schema: { type: 'integer', minimum: 1, maximum: LIMITS.pageMaxItems },
  },
  { name: 'after', text: 'the `next` of the page before', schema: text },
]
const ifMatch: Parameter = {
  name: 'If-Match',
  text: 'write only if the generation is still this one, like "3"',
  schema: { type: 'string', examples: ['"3"'] },
}

const OBJECTS = {
  workload: { object: api.workloadObjectSchema, page: api.workloadPageSchema },
  pool: { object: api.poolObjectSchema, page: api.poolPageSchema },
  team: { object: api.teamObjectSchema, page: api.teamPageSchema },
} as const satisfies Record<Noun, unknown>

function specOperations(noun: Noun): readonly Operation[] {
  const [kind, plural, { object }] = [KIND_OF[noun], PLURAL_OF[noun], OBJECTS[noun]]
  const path = `/v1/${plural}/{name}`
  /** A team's principals alone write its workloads. */
  const notPrincipal = noun === 'workload' ? [403] : []
  return [
    {
      id: `list${kind}s`,
      method: 'get',
      path: `/v1/${plural}`,
      summary: `The ${plural}, by name`,
      query: page,
      answers: { 200: OBJECTS[noun].page },
      problems: [400],
    },
    {
      id: `get${kind}`,
      method: 'get',
      path,
      summary: `One ${noun}; while it is being deleted, with status.deleting`,
      answers: { 200: object },
      problems: [404],
    },
    {
      id: `put${kind}`,
      method: 'put',
      path,
      summary: `Creates or changes a ${noun}; an equal spec keeps its generation`,
      headers: [ifMatch],
      body: { schema: `${kind}Document`, required: true },
      answers: { 200: object, 201: object },
      problems: [400, ...notPrincipal, 409, 412, 413, 415, 422],
    },
    {
      id: `delete${kind}`,
      method: 'delete',
      path,
      summary: `Deletes a ${noun}`,
      headers: [ifMatch],
      answers: { 202: object },
      problems: [400, ...notPrincipal, 404, 409, 412],
    },
  ]
}

const workloadVerbs: readonly Operation[] = [
  {
    id: 'scaleWorkload',
    method: 'post',
    path: '/v1/workloads/{name}/scale',
    summary: 'Sets how many replicas should run; 409 where the workload has scale',
    body: { schema: api.scaleRequestSchema, required: true },
    answers: { 200: api.workloadObjectSchema },
    problems: [400, 403, 404, 409, 413, 415, 422],
  },
  {
    id: 'pushMetric',
    method: 'post',
    path: '/v1/workloads/{name}/metrics/{metric}',
    summary: 'Says what a metric of type pushed is now, for the workload to be scaled by',
    body: { schema: pushRequestSchema, required: true },
    answers: { 200: pushAnswerSchema },
    problems: [400, 403, 404, 413, 415, 422],
  },
  {
    id: 'rolloutWorkload',
    method: 'post',
    path: '/v1/workloads/{name}/rollout',
    summary: 'Pauses or resumes a roll-out, or goes back to an earlier version',
    body: { schema: api.rolloutRequestSchema, required: true },
    answers: { 200: api.workloadObjectSchema },
    problems: [400, 403, 404, 409, 413, 415, 422],
  },
  {
    id: 'explainWorkload',
    method: 'get',
    path: '/v1/workloads/{name}/explain',
    summary: 'Why each replica is where it is, or why it waits; what fails, and whose fault it is',
    answers: { 200: why.explainAnswerSchema },
    problems: [404],
  },
  {
    id: 'listEndpoints',
    method: 'get',
    path: '/v1/workloads/{name}/endpoints',
    summary: 'Where each of its replicas can be reached',
    answers: { 200: endpointsAnswerSchema },
    problems: [404],
  },
  {
    id: 'listRevisions',
    method: 'get',
    path: '/v1/workloads/{name}/revisions',
    summary: 'The versions that are kept, oldest first, with what each of them changed',
    answers: { 200: why.revisionsAnswerSchema },
    problems: [404],
  },
]

const NODE_VERBS = {
  cordon: 'Binds nothing more to the node',
  uncordon: 'Withdraws the order that stands',
  drain: 'Moves its replicas away, replacements first, then ends it',
  retest: 'Runs its burn-in again',
  terminate: 'Drains it and ends it; with force at once',
} as const

function nodeVerb(verb: keyof typeof NODE_VERBS): Operation {
  const force: Parameter = {
    name: 'force',
    text: 'end it without draining',
    schema: { type: 'boolean' },
  }
  return {
    id: `${verb}Node`,
    method: 'post',
    path: `/v1/nodes/{name}/${verb}`,
    summary: NODE_VERBS[verb],
    ...(verb === 'terminate' ? { query: [force] } : {}),
    body: { schema: api.nodeVerbRequestSchema, required: false },
    answers: { 202: api.nodeAnswerSchema },
    problems: [400, 404, 413, 415, 422],
  }
}

const herd: readonly Operation[] = [
  {
    id: 'listReplicas',
    method: 'get',
    path: '/v1/replicas',
    summary: 'Replicas by id, bound and waiting',
    query: [
      { name: 'workload', text: 'only of this workload', schema: text },
      { name: 'node', text: 'only on this node', schema: text },
      ...page,
    ],
    answers: { 200: api.replicaPageSchema },
    problems: [400],
  },
  {
    id: 'listNodes',
    method: 'get',
    path: '/v1/nodes',
    summary: 'The nodes, by name',
    query: page,
    answers: { 200: api.nodePageSchema },
    problems: [400],
  },
  {
    id: 'getNode',
    method: 'get',
    path: '/v1/nodes/{name}',
    summary: 'One node',
    answers: { 200: api.nodeAnswerSchema },
    problems: [404],
  },
  {
    id: 'explainNode',
    method: 'get',
    path: '/v1/nodes/{name}/explain',
    summary: 'Why a node is as it is; what fails on it, and whose fault it is',
    answers: { 200: why.nodeExplainAnswerSchema },
    problems: [404],
  },
  ...(['cordon', 'uncordon', 'drain', 'retest', 'terminate'] as const).map(nodeVerb),
  {
    id: 'releaseBrake',
    method: 'post',
    path: '/v1/pools/{name}/release-brake',
    summary: "Lifts the pool's brake for one window",
    answers: { 202: api.poolObjectSchema },
    problems: [404],
  },
  {
    id: 'allowSweep',
    method: 'post',
    path: '/v1/sweep/allow',
    summary: 'Lets a sweep end machines that a restored table does not know',
    answers: { 202: api.sweepAnswerSchema },
    problems: [],
  },
  {
    id: 'plan',
    method: 'post',
    path: '/v1/plan',
    summary: 'What applying the documents would do; changes nothing',
    body: { schema: api.planRequestSchema, required: true },
    answers: { 200: api.planAnswerSchema },
    problems: [400, 413, 415, 422],
  },
  {
    id: 'getCost',
    method: 'get',
    path: '/v1/cost',
    summary: 'What the herd costs, and the least that any fleet could cost',
    answers: { 200: api.costAnswerSchema },
    problems: [],
  },
  {
    id: 'getRepack',
    method: 'get',
    path: '/v1/repack',
    summary: 'Which machines are, would be and will not be emptied to save money, and why',
    answers: { 200: api.repackAnswerSchema },
    problems: [],
  },
  {
    id: 'listEvents',
    method: 'get',
    path: '/v1/events',
    summary: 'What happened, oldest first; a page may be short and still have a next',
    query: [
      { name: 'object', text: 'only about this object, like workload/web', schema: text },
      ...page,
    ],
    answers: { 200: api.eventPageSchema },
    problems: [400],
  },
  {
    id: 'listBurnIns',
    method: 'get',
    path: '/v1/burn-ins',
    summary: 'Verdicts of the last two months, oldest first; a page may be short',
    query: [
      { name: 'pool', text: 'only of this pool', schema: text },
      { name: 'node', text: 'only of this node', schema: text },
      { name: 'gpu', text: 'only of machines with this GPU, by its UUID', schema: text },
      ...page,
    ],
    answers: { 200: api.burnInPageSchema },
    problems: [400],
  },
  {
    id: 'getHardware',
    method: 'get',
    path: '/v1/hardware/{id}',
    summary: 'What is known of a GPU, by its UUID, or of a set of them',
    answers: { 200: hardwareAnswerSchema },
    problems: [404],
  },
  {
    id: 'clearHardware',
    method: 'post',
    path: '/v1/hardware/{id}/clear',
    summary: 'Lets it be tested again though it was rejected',
    answers: { 202: hardwareAnswerSchema },
    problems: [404],
  },
]

export const OPERATIONS: readonly Operation[] = [
  {
    id: 'getHealth',
    method: 'get',
    path: '/healthz',
    summary: 'Whether the API answers',
    answers: { 200: api.healthAnswerSchema },
    problems: [],
  },
  {
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    summary: 'This document',
    answers: { 200: undefined },
    problems: [],
  },
  ...NOUNS.flatMap(specOperations),
  ...workloadVerbs,
  ...herd,
]
