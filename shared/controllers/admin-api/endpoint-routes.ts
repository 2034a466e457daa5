/**
 * Where a workload can be reached: a line for each port of each replica that has told its address.
 *
 * Whoever sends requests takes those that are ready. One that was told to stop is listed still, as
 * it may serve what is open; one that has no process, or has not told of it, is not.
 */
import type { Context, Hono } from 'hono'
import { byKey, inOrder } from '#shared/base/order.ts'
import type { EndpointAnswer } from '#shared/protocol/endpoints-answer.ts'
import { fitting } from './answer-size.ts'
import { replicaAnswer, type NodeView } from './answers.ts'
import { isName, nameOf, readSpec } from './change-spec.ts'
import { readHerd } from './herd.ts'
import { objectsOf } from './objects.ts'
import type { AdminApiPorts } from './ports.ts'
import { notFound } from './problem.ts'
import { part, route } from './routing.ts'

export function addEndpointRoutes(app: Hono, ports: AdminApiPorts): void {
  route(app, '/v1/workloads/:name/endpoints', { GET: (context) => list(ports, context) })
}

async function list(ports: AdminApiPorts, context: Context): Promise<Response> {
  const name = part(context, 'name')
  const spec = isName(name) ? await readSpec(ports, { noun: 'workload', name }) : undefined
  if (spec === undefined || (await objectsOf(ports, [spec])).length === 0) {
    return notFound(nameOf({ noun: 'workload', name }))
  }
  const herd = await readHerd(ports)
  const all = herd
    .flatMap((view) => endpointsOn(view, spec.uid))
    .sort(
      inOrder(
        byKey((own) => own.replica),
        byKey((own) => own.name),
      ),
    )
  const items = fitting(all)
  const more = all.length - items.length
  return Response.json({ items, ...(more > 0 && { more }) })
}

function endpointsOn(view: NodeView, uid: string): EndpointAnswer[] {
  const { node, assignment } = view
  const mine = (assignment?.replicas ?? []).filter((own) => own.uid === uid)
  return mine.flatMap((bound) => {
    const { id, version, ready, addresses } = replicaAnswer(bound, view)
    return Object.entries(addresses).flatMap(([name, text]): EndpointAnswer[] => {
      const found = splitAddress(text)
      if (found === undefined) return []
      return [
        {
          ...{ replica: id, name, ...found, node: node.name },
          ...(node.machine === undefined ? {} : { zone: node.machine.zone }),
          ...{ version, ready, terminating: bound.order === 'stop' },
        },
      ]
    })
  })
}

/** `10.0.0.1:8080` or `[fd00::1]:8080`; undefined for what an agent may have told amiss. */
function splitAddress(text: string): { address: string; port: number } | undefined {
  const [, six, four, digits = ''] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const address = six ?? four
  const port = Number(digits)
  return address === undefined || port < 1 || port > 65_535 ? undefined : { address, port }
}
