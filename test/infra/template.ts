/**
 * The stack as CloudFormation will see it, without code in it, made once for all the tests of a
 * file.
 */
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { readFileSync } from 'node:fs'
import { readSettings } from '#infra/settings.ts'
import { DroverStack } from '#infra/stack.ts'

/**
 * CDK's own switches, as a deploy has them; among them the check against CloudFormation's rules.
 */
const CDK_CONTEXT = (
  JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')) as {
    context: Record<string, unknown>
  }
).context

export type Resource = { Type: string; Properties: Record<string, unknown>; [key: string]: unknown }

/** `validated` has CDK hold the template against CloudFormation's rules, which takes seconds. */
export function synthesize(context: Record<string, unknown> = {}, validated = false): Template {
  const given: Record<string, unknown> = { bundle: false, ...context }
  const app = new App({
    context: CDK_CONTEXT,
    analyticsReporting: false,
    builtinCloudFormationValidation: validated,
  })
  const settings = readSettings((name) => given[name])
  return Template.fromStack(new DroverStack(app, settings.cluster, { settings }))
}

/** Every resource of a type, by its logical id. */
export function resourcesOf(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>
}

/** The one resource of a type whose logical id starts so; throws when there is none, or several. */
export function resourceOf(template: Template, type: string, idPrefix: string): Resource {
  const found = Object.entries(resourcesOf(template, type)).filter(([id]) =>
    id.startsWith(idPrefix),
  )
  const [only] = found
  if (only === undefined || found.length > 1) {
    throw new Error(`${String(found.length)} resources of ${type} start with ${idPrefix}`)
  }
  return only[1]
}

export type Statement = {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Condition?: Record<string, Record<string, unknown>>
}

export type Policy = { id: string; statements: Statement[] }

/** Every policy attached to a role. */
export function policiesOf(template: Template): Policy[] {
  const policies = Object.entries(resourcesOf(template, 'AWS::IAM::Policy')).map(
    ([id, resource]) => ({
      id,
      statements: statementsIn(resource.Properties['PolicyDocument']),
    }),
  )
  const inline = Object.entries(resourcesOf(template, 'AWS::IAM::Role')).flatMap(([id, resource]) =>
    ((resource.Properties['Policies'] ?? []) as { PolicyDocument: unknown }[]).map((own) => ({
      id,
      statements: statementsIn(own.PolicyDocument),
    })),
  )
  return [...policies, ...inline]
}

export function policyOf(template: Template, idPrefix: string): Policy {
  const found = policiesOf(template).filter(({ id }) => id.startsWith(idPrefix))
  const [only] = found
  if (only === undefined || found.length > 1) throw new Error(`no one policy ${idPrefix}`)
  return only
}

export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value])

function statementsIn(document: unknown): Statement[] {
  return (document as { Statement: Statement[] }).Statement
}
