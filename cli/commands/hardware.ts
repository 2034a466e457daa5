/**
 * `drover hardware`: what burn-in remembers of a GPU, and a person's word that it is sound.
 */
import { setIdOf } from '#shared/model/hardware.ts'
import { LIMITS } from '#shared/model/limits.ts'
import { burnInRecordAnswerSchema } from '#shared/protocol/api.ts'
import { hardwareAnswerSchema, type HardwareAnswer } from '#shared/protocol/hardware-answer.ts'
import type { Answer } from '../api.ts'
import type { Command, Context } from '../command.ts'
import { UsageError } from '../errors.ts'
import { page } from '../render/page.ts'
import { ageOf, formatInstant } from '../render/time.ts'
import { cursorAt } from './events.ts'

const pathOf = (id: string): string => `/v1/hardware/${encodeURIComponent(id)}`

const show: Command = {
  name: 'hardware show',
  group: 'Look',
  summary: 'tell what is known of a GPU, or of a set of them',
  arguments: [{ name: 'id', summary: 'a UUID, or set: and what follows' }],
  examples: ['drover hardware show GPU-6ad2f1c4-0b1e-43ab-9c1d-2f0f7d9a51c3'],
  async run(context, input) {
    const id = input.argument('id')
    const answer = await context.api.get(pathOf(id), hardwareAnswerSchema)
    context.show(answer.body, () => factsOf(answer.value, context))
    if (answer.value.refused) context.next(`drover hardware clear ${id}`)
  },
}

function factsOf(own: HardwareAnswer, { world, style }: Context): readonly string[] {
  const age = ageOf(own.at, world.clock.now())
  const facts = [
    ['Hardware', own.id],
    ['Serial', own.serial],
    ['State', `${own.state} ${age} ago, in ${own.node}`],
    ['Found', own.text],
    ['Suite', own.suite.replace(/#.*/, '')],
    ['Checks', own.checks.map(({ name, verdict }) => `${name} ${verdict}`).join(', ')],
    ['Cleared', own.clearedAt === undefined ? undefined : formatInstant(own.clearedAt)],
    ['Refused', own.refused ? 'yes: a machine with it is not even tested' : 'no'],
  ] as const
  return page({ facts, sections: [] }, style.paint)
}

const clear: Command = {
  name: 'hardware clear',
  group: 'Steer',
  summary: 'let GPUs that failed be tested again, wherever they turn up',
  arguments: [
    { name: 'ids', summary: 'UUIDs, or set: and what follows', optional: true, many: true },
  ],
  options: [{ flags: '--node <name>', summary: 'whatever was found to be bad on this node' }],
  examples: [
    'drover hardware clear GPU-6ad2f1c4-0b1e-43ab-9c1d-2f0f7d9a51c3',
    'drover hardware clear --node gpu-4-1',
  ],
  async run(context, input) {
    const node = input.text('node')
    const ids = input.rest('ids')
    if ((node === undefined) === (ids.length === 0)) {
      throw new UsageError('needs IDs or --node', 'drover burn-in history shows what failed')
    }
    const answers: Answer<HardwareAnswer>[] = []
    for (const id of node === undefined ? ids : await rejectedOn(context, node)) {
      const path = `${pathOf(id)}/clear`
      answers.push(await context.api.call({ method: 'POST', path }, hardwareAnswerSchema))
    }
    const items = answers.map((own) => own.body)
    context.show({ items }, () =>
      answers.map(({ value }) => `${value.id} is tested where it turns up`),
    )
    if (answers.length === 0) context.note('nothing on it was rejected')
  },
}

/** Whatever was rejected there, each and together, and is refused still. */
async function rejectedOn({ api, world }: Context, node: string): Promise<readonly string[]> {
  const query = { node, after: cursorAt({ world }, LIMITS.hardwareRejectedMs) }
  const { value } = await api.list('/v1/burn-ins', burnInRecordAnswerSchema, query)
  const gpus = new Set(value.flatMap((own) => own.gpus))
  if (gpus.size === 0) return []
  const sets = value.map((own) => setIdOf(own.gpus.map((uuid) => ({ uuid }))))
  const held: string[] = []
  for (const id of new Set([...gpus, ...sets])) {
    const known = await api.find(pathOf(id), hardwareAnswerSchema)
    if (known?.value.refused === true && known.value.node === node) held.push(id)
  }
  return held
}

export const hardware: readonly Command[] = [show, clear]
