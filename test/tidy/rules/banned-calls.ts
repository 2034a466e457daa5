/**
 * What may not be called where a simulation must own time and chance, with what to use instead.
 *
 * shared/ and agent/ get time, ids and the environment handed in; their adapters and the agent's
 * main file are where those come from. The model and the planner are synchronous on top of that.
 */
import ts from 'typescript'
import { collect, faultAt, type Fault, type Source } from '../source.ts'

const SCOPE = /^(shared|agent)\//
const OUTSIDE = /^(shared\/(store|cloud)\/aws\/|agent\/adapters\/|agent\/main\.ts$)/
const SYNCHRONOUS = /^shared\/(model|planner)\//

const CLOCK = 'take a Clock (shared/cloud/clock.ts), or the time itself'

/** `object.property`; `*` is any object. */
const MEMBERS: Readonly<Record<string, string>> = {
  'Date.now': CLOCK,
  'performance.now': CLOCK,
  'Math.random': 'take Ids (shared/cloud/ids.ts) or a seed',
  'process.env': 'take an Environment (shared/base/environment.ts)',
  'AbortSignal.timeout': CLOCK,
  '*.hrtime': CLOCK,
  '*.subtle': "use the synchronous createHash of 'node:crypto'",
  '*.randomUUID': 'take Ids (shared/cloud/ids.ts)',
  '*.getRandomValues': 'take Ids (shared/cloud/ids.ts) or a seed',
  '*.localeCompare': 'use byText (shared/base/order.ts)',
  '*.toLocaleString': 'use byText, or a text of your own: locales differ from machine to machine',
}

const NAMES: Readonly<Record<string, string>> = {
  randomUUID: 'take Ids (shared/cloud/ids.ts)',
  randomBytes: 'take Ids (shared/cloud/ids.ts) or a seed',
  getRandomValues: 'take Ids (shared/cloud/ids.ts) or a seed',
  setTimeout: CLOCK,
  setInterval: CLOCK,
  setImmediate: CLOCK,
}

const SYNCHRONOUS_NAMES: Readonly<Record<string, string>> = {
  Promise: 'return the value itself: plans are synchronous',
  console: 'return a reason: plans do not log',
  process: 'take what is needed as an argument',
}

const TIMER_MODULES = ['node:timers', 'node:timers/promises']

export function bannedCallFaults(source: Source): readonly Fault[] {
  if (!SCOPE.test(source.path) || OUTSIDE.test(source.path)) return []
  return collect(source, (node) => {
    const say = sayNode(node) ?? (SYNCHRONOUS.test(source.path) ? saySynchronous(node) : undefined)
    return say === undefined ? undefined : faultAt(source, node, say)
  })
}

function sayNode(node: ts.Node): Pick<Fault, 'text' | 'mend'> | undefined {
  if (ts.isPropertyAccessExpression(node)) return sayMember(node)
  if (isBareNewDate(node)) return { text: 'new Date() reads the clock', mend: CLOCK }
  if (isCallOfDate(node)) return { text: 'Date() reads the clock', mend: CLOCK }
  if (ts.isStringLiteral(node) && TIMER_MODULES.includes(node.text)) {
    return { text: node.text, mend: CLOCK }
  }
  return sayName(node, NAMES)
}

function saySynchronous(node: ts.Node): Pick<Fault, 'text' | 'mend'> | undefined {
  const mend = 'write a synchronous function: plans do no input or output'
  if (ts.isAwaitExpression(node)) return { text: 'await', mend }
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return { text: 'async', mend }
  return sayName(node, SYNCHRONOUS_NAMES)
}

function sayMember(node: ts.PropertyAccessExpression): Pick<Fault, 'text' | 'mend'> | undefined {
  const property = node.name.text
  const object = node.expression.getText().replace(/^globalThis\./, '')
  const text = [`${object}.${property}`, `*.${property}`].find((own) => own in MEMBERS)
  if (text !== undefined) return { text: `${object}.${property}`, mend: MEMBERS[text] ?? '' }
  const mend = object === 'globalThis' ? NAMES[property] : undefined
  return mend === undefined ? undefined : { text: property, mend }
}

function sayName(
  node: ts.Node,
  names: Readonly<Record<string, string>>,
): Pick<Fault, 'text' | 'mend'> | undefined {
  if (!ts.isIdentifier(node) || !Object.hasOwn(names, node.text) || isOnlyAName(node)) {
    return undefined
  }
  return { text: node.text, mend: names[node.text] ?? '' }
}

/** A field, a method or a property that merely has that name. */
function isOnlyAName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  const named =
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isParameter(parent)
  return named && parent.name === node
}

function isCallOfDate(node: ts.Node): boolean {
  return ts.isCallExpression(node) && node.expression.getText() === 'Date'
}

function isBareNewDate(node: ts.Node): boolean {
  return (
    ts.isNewExpression(node) &&
    node.expression.getText() === 'Date' &&
    (node.arguments?.length ?? 0) === 0
  )
}
