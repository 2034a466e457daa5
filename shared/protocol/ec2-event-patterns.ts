/**
 * Which announcements of EC2 and AWS Health are brought to `interruption`: EventBridge rules, a
 * kind of announcement each, for the stack and for local mode alike.
 *
 * EventBridge cannot tell drover's instances from others by their tags, so the rules match all of
 * the account's and the function looks each one up.
 */
export type EventPattern = {
  readonly source: string[]
  readonly detailType: string[]
  readonly detail?: Record<string, string[]>
}

const ec2 = (...detailType: string[]): EventPattern => ({ source: ['aws.ec2'], detailType })

export const EC2_EVENT_PATTERNS = {
  SpotInterruption: ec2('EC2 Spot Instance Interruption Warning'),
  Rebalance: ec2('EC2 Instance Rebalance Recommendation'),
  StateChange: {
    ...ec2('EC2 Instance State-change Notification'),
    // A start is no news: the agent's first report is.
    detail: { state: ['stopping', 'stopped', 'shutting-down', 'terminated'] },
  },
  Health: {
    source: ['aws.health'],
    detailType: ['AWS Health Event'],
    detail: { service: ['EC2'], eventTypeCategory: ['scheduledChange'] },
  },
  CapacityReservation: ec2(
    'EC2 Capacity Reservation Instance Interruption Warning',
    'EC2 Interruptible Capacity Reservation Instance Interruption Warning',
    'Capacity Block Reservation Expiration Warning',
  ),
} as const satisfies Readonly<Record<string, EventPattern>>
