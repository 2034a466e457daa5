/**
 * The keys of the items that a node and reconcile share.
 *
 * They live here, and not with the table's other keys, because the agent knows them too: it reads
 * its assignment and writes its report and its beat, and touches nothing else.
 */
const key = (pk: string, sk: string): { pk: string; sk: string } => ({ pk, sk })

export const agentKeys = {
  assignmentHead: (arn: string) => key(`assign#${arn}`, 'head'),
  assignment: (arn: string) => key(`assign#${arn}`, 'body'),
  report: (arn: string) => key(`report#${arn}`, 'report'),
  beat: (arn: string) => key(`beat#${arn}`, 'beat'),
} as const
