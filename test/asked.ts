/**
 * Checks as an assignment asks for them, spelt out as the planner spells them out.
 */
import { burnInSchema, suiteOf, type AskedCheck } from '#shared/model/burn-in.ts'

export function asked(...checks: unknown[]): AskedCheck[] {
  return [...suiteOf(burnInSchema.parse({ checks })).checks]
}
