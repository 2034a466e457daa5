/**
 * What must not be left behind: notes to oneself, narrowed or silenced tests, paths of one machine.
 *
 * The words are put together from pieces, or this file would be its own first fault.
 */
import ts from 'typescript'
import { collect, faultAt, faultsByLine, isCode, type Fault, type Source } from '../source.ts'

const NOTE = new RegExp(
  `\\b(${[
    ['TO', 'DO'],
    ['FIX', 'ME'],
    ['X', 'XX'],
  ]
    .map((own) => own.join(''))
    .join('|')})\\b`,
)

/** Folders of whoever builds drover, not of whoever reads it. */
const PRIVATE_PATH = new RegExp(
  `(?<![\\w.*-])/(${['wo' + 'rk/', 'tmp/br' + 'ief', 'ro' + 'ot\\b'].join('|')})`,
)

const SUITES = ['it', 'test', 'describe', 'suite']
/** How a test's title gives the reason why it is skipped. */
const SKIP_REASON = /skipped: .{8,}/

export function noteFaults(source: Source): readonly Fault[] {
  return faultsByLine(source, (line) => {
    const word = NOTE.exec(line)?.[0]
    if (word === undefined) return undefined
    return { text: word, mend: 'do it now, or open an issue and say what holds today' }
  })
}

export function privatePathFaults(source: Source): readonly Fault[] {
  return faultsByLine(source, (line) => {
    const path = PRIVATE_PATH.exec(line)?.[0]
    if (path === undefined) return undefined
    return { text: `names ${path}`, mend: 'take the path as an argument' }
  })
}

/** `.only`, `.todo`, and `.skip` without a reason. */
export function narrowedTestFaults(source: Source): readonly Fault[] {
  if (!isCode(source.path) || !source.path.startsWith('test/')) return []
  return collect(source, (node) => {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) {
      return undefined
    }
    const say = sayCall(node, node.expression)
    return say === undefined ? undefined : faultAt(source, node.expression.name, say)
  })
}

function sayCall(
  call: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
): Pick<Fault, 'text' | 'mend'> | undefined {
  const verb = callee.name.text
  const ofSuite = SUITES.includes(/^\w+/.exec(callee.expression.getText())?.[0] ?? '')
  const strings = call.arguments.filter((own) => ts.isStringLiteralLike(own)).map((own) => own.text)
  if (ofSuite && verb === 'only') return { text: '.only(', mend: 'run all tests' }
  if (ofSuite && verb === 'todo') return { text: '.todo(', mend: 'write the test' }
  if (verb !== 'skip') return undefined
  const hasReason = ofSuite ? strings.some((own) => SKIP_REASON.test(own)) : strings.length > 0
  if (hasReason) return undefined
  const mend = ofSuite
    ? "say why in the title: 'does this (skipped: the engine has no …)'"
    : "say why: context.skip('the engine has no …')"
  return { text: '.skip( without a reason', mend }
}
