/**
 * Every limit of drover, with its unit last in its name and its reason beside it.
 *
 * Limits that depend on one another are asserted at the bottom, so that a change which breaks a
 * relation fails at start-up and not in an outage.
 */
import { assert } from '../base/assert.ts'
import { NODE_LIMITS } from './node-limits.ts'

export const LIMITS = {
  // Specs
  /** DNS-label length: names end up in host names, tags and keys. */
  nameMaxChars: 63,
  /** A body beyond this is no spec; API Gateway itself ends at 10 MB. */
  bodyMaxBytes: 1_000_000,
  /** A body that is too large is read so far, so that its sender lives to see the answer. */
  bodyDrainMaxBytes: 64_000_000,
  /** Deeper than any spec nests; stops a parser from being made to recurse. */
  bodyMaxDepth: 32,
  /** An assignment carries each version once; 250 replicas of it must still fit an item. */
  templateMaxBytes: 16_384,
  /** All of a spec, as stored: every pass reads every spec, and an item ends at 400 KB. */
  specMaxBytes: 65_536,
  replicasMax: 10_000,
  /** The room that one holds stands in its status, node by node. */
  gangReplicasMax: 2_000,
  envMaxEntries: 200,
  portsMax: 20,
  dependsOnMax: 20,
  principalsMax: 100,
  /** More headroom than that is cut into larger pieces. */
  headroomPiecesMax: 1_000,
  /** How often a spec's write is tried again when another writer was faster. */
  specWriteAttempts: 5,
  /** Templates kept of a workload, the last used first: what can be gone back to. */
  revisionsKept: 10,
  documentsMax: 200,
  /** What a replay holds in memory and gets through in an hour. */
  traceRowsMax: 1_000_000,
  traceMaxBytes: 256_000_000,
  /** Ten years. */
  traceSecondsMax: 315_360_000,
  /** Of a bad trace: enough to see what is wrong with it. */
  traceFaultsShown: 20,
  /** A page of a list: what fits one answer and one DynamoDB page (1 MB) with room to spare. */
  pageMaxItems: 500,
  pageDefaultItems: 100,
  /** Of Lambda's 6 MB, with room for what stands around the items. */
  answerMaxBytes: 5_000_000,

  // Load balancers
  /** A listing may not tell for so long of what was registered or deregistered. */
  targetsLagMs: 2_000,
  /** How often one is asked while replicas come or go; less often when that takes long. */
  balancerLookMs: 2_000,
  balancerLookDoublings: 3,
  /** Longer than ELB's own deregistration delay of 300 s. */
  deregisterMostMs: 330_000,
  /** Before its grace time begins, a replica whose time is short leaves its load balancer. */
  deregisterLeadMs: 10_000,
  /** Target groups that one pass asks about. */
  targetGroupsMax: 50,

  // Data
  /** Replicas of a workload that may fetch their data at once, lest they stampede its source. */
  fetchesAtOnce: 10,

  // Disks
  /** What a machine has where its pool says nothing. */
  rootVolumeGib: 50,
  /** ECS images ask for so much at the least. */
  rootVolumeLeastGib: 30,
  /** The image itself, logs, and the layers of what runs in containers. */
  systemDiskMib: 10_240,
  /** A disk that is fuller than this fails in ways that are hard to tell. */
  diskFullShare: 0.9,

  // Assignments (DynamoDB items end at 400 KB)
  replicasPerNodeMax: 250,
  /** Versions of data that a node may have or keep: two for each of many workloads. */
  dataPerNodeMax: 64,
  assignmentMaxBytes: 300_000,
  /** What a bound replica takes in its assignment, ids and stamps and GPU shares, at most. */
  boundReplicaMaxBytes: 600,
  reportMaxBytes: 200_000,
  /** A suite's, and the reset before it. */
  checksReportedMax: 51,
  checksMaxBytes: 250_000,

  // The loop
  /** Smallest queue-level delay SQS knows. */
  wakeDelayMs: 1_000,
  wakeBucketMs: 400,
  wakeSendTimeoutMs: 300,
  /** Rides out one bad connection; beyond it the tick, or the caller's own retry, does better. */
  wakeSendAttempts: 4,
  wakeRetryPauseMs: 100,
  /**
   * A wake that failed so often (2 s apart) is set aside and raises an alarm; a tick follows
   * anyway.
   */
  wakeMaxReceives: 5,
  /** Most messages SQS hands out at once. */
  wakeBatchMax: 10,
  /** How long SQS remembers a deduplication id, even of a message long deleted. */
  wakeDedupMemoryMs: 300_000,
  tickMs: 60_000,
  /** A tick that is missed twice means that nobody watched: silence starts to count anew. */
  coverageGapMs: 120_000,
  delayedWakeMaxMs: 900_000,
  /** A pass that was cut off or refused something looks again after this. */
  unfinishedWakeMs: 2_000,
  reconcileTimeoutMs: 30_000,
  reconcileVisibilityMs: 35_000,
  reconcileErrorVisibilityMs: 2_000,
  /** A CreateFleet may take 20 s; started later it could outlive its Lambda. */
  lastLaunchStartMs: 8_000,
  lastWorkStartMs: 20_000,
  /** A transaction carries 100 items at most; one is the fence. */
  transactionMaxWrites: 99,
  scanSegments: 4,

  // The store (DynamoDB's own bounds, which the memory store keeps too)
  itemMaxBytes: 409_600,
  /** DynamoDB allows 32 levels and counts the item itself as one. */
  itemMaxDepth: 31,
  partitionKeyMaxBytes: 2_048,
  sortKeyMaxBytes: 1_024,
  transactionMaxItems: 100,
  transactionMaxBytes: 4_194_304,
  transactionTokenMaxChars: 36,
  /** How long DynamoDB remembers a transaction's token. */
  transactionTokenMs: 600_000,
  batchGetMaxKeys: 100,
  /** A batch of large items comes back in parts of 16 MB: three rounds, and some for throttling. */
  batchGetRounds: 8,
  storeBackOffMs: 50,
  storeBackOffMaxMs: 1_600,
  /** Four attempts of 2.5 s end within a third of a pass, so that it can still answer its queue. */
  storeAttempts: 4,
  storeRequestTimeoutMs: 2_500,
  /** A page holds 1 MB: a partition or scan segment beyond this is not drover's table any more. */
  storePagesMax: 500,
  /** A new table takes DynamoDB ten seconds or so. */
  tableActiveMs: 60_000,
  tablePollMs: 200,

  // Launches
  fleetTimeoutMs: 20_000,
  /** An intent older than this is not sent any more; what it launched is found by tag. */
  launchNotAfterMs: 60_000,
  launchUnknownMs: 120_000,
  launchesPerPass: 20,
  claimsPerLaunch: 50,
  overridesPerLaunch: 60,
  bootDeadlineMs: 300_000,
  /** EC2 is asked again to end a machine: at first after so long, then less often. */
  terminateAgainFirstMs: 15_000,
  terminateAgainMaxMs: 60_000,
  shortageFirstMs: 180_000,
  shortageMaxMs: 3_600_000,

  // Removal
  sweepEveryMs: 60_000,
  sweepMinAgeMs: 300_000,
  notFoundConfirmMs: 60_000,
  notFoundMinAgeMs: 300_000,
  drainDefaultMs: 900_000,
  /**
   * After a drain's deadline and the longest grace, an agent that still holds something is stuck.
   */
  drainOverdueMs: 60_000,
  /** How long an idle, unneeded node is kept: work that moves comes back within it. */
  emptyNodeAfterMs: 30_000,
  terminatePerCall: 100,
  /** A page of EC2's lists: half of its own maximum, so that it comes within an attempt. */
  describePageItems: 500,
  /** 50,000 instances: a list that does not end is a bug, ours or EC2's. */
  describePagesMax: 100,
  /**
   * One page or batch, the SDK's retries included. A list that hangs must leave a pass time for its
   * launches, and an attempt on a dead connection time for another.
   */
  ec2CallTimeoutMs: 6_000,
  ec2AttemptTimeoutMs: 3_000,
  /** Of every AWS client that is bounded by the attempt, the table's included. */
  connectTimeoutMs: 1_000,
  /** A page of types, prices or products: nobody waits for those. */
  pricesCallTimeoutMs: 8_000,
  /** ELB names no maximum and now and then refuses more, as Kubernetes found out. */
  targetsPerCall: 100,
  /** One call, the SDK's retries included: a pass asks several groups, and may do without. */
  balancerCallTimeoutMs: 4_000,
  balancerAttemptTimeoutMs: 2_000,
  /** EC2's and the price list's own maximum for a page of types and of products. */
  typesPageItems: 100,
  /** On-demand prices change a few times a year; one run of `market` asks twice. */
  priceListKeepMs: 600_000,
  /** Types newer than the catalogue, 0.5 KB each, share one item. */
  newTypesMax: 500,

  // Silence and brakes
  beatEveryMs: 30_000,
  lostAfterMs: 90_000,
  lostAloneFactor: 5,
  brakeWindowMs: 600_000,
  brakeShare: 0.2,
  /** Burn-ins remembered of a make: half of so many is no bad luck. */
  makeOutcomesKept: 10,
  /** Machines that must fail before their make is in doubt: two may be bad luck. */
  makeFailuresLeast: 3,
  /** What failed the day before says little of what is launched today. */
  makeMemoryMs: 86_400_000,
  /** Makes remembered of a pool, the last tested first: images and suites change seldom. */
  makesKept: 20,
  /** Failed machines are counted over an hour: so long they are paid for in quarantine. */
  failedWindowMs: 3_600_000,
  /** In an hour, of a small pool: what goes one at a time, each coming up in three minutes. */
  failedPerHour: 20,
  /** Beyond it nothing more is counted, and nothing bought, however large the pool is. */
  failedKept: 200,
  /** Below it failed machines cost nobody a thought, whatever share of a small pool they are. */
  failedUsdPerHour: 10,

  ...NODE_LIMITS,

  // The command
  /** API Gateway itself gives up after 30 s; a little more lets its answer arrive. */
  cliRequestTimeoutMs: 32_000,
  /**
   * Tries of a request that is safe to repeat: 0.25 + 0.5 + 1 s outlast a restart of the server.
   */
  cliTries: 4,
  cliRetryFirstMs: 250,
  cliPagesMax: 200,
  /** Often enough to look live, seldom enough to cost nothing. */
  cliWatchMs: 2_000,
  cliWaitPollMs: 1_000,
  /** A deployment of drover, or of the network in between, is over by then. */
  cliPatienceMs: 60_000,
  cliWaitDefaultMs: 300_000,
  cliDescribeEvents: 12,

  // Quotas
  /** An entitled replica waits so long for the market before others make way for it. */
  reclaimAfterMs: 10_000,
  /** What was started on borrowed room runs at least so long. */
  reclaimMinRuntimeMs: 60_000,
  /** Room is kept so long beyond the longest grace of those who leave it. */
  reclaimHoldMs: 60_000,
  /** Replicas that a pass clears room for: each asks every node who would have to go there. */
  reclaimsPerPass: 50,
  /** Nodes on which room is being made for one workload. */
  reservationsMax: 2_000,
  /** One of them in a status, as JSON, with room to spare. */
  reservationMaxBytes: 170,
  /** What a team borrowed counts against it, half as much after each such time. */
  loanHalfLifeMs: 86_400_000,
  /** A team of weight zero comes last, and what is shared by weight is still a number. */
  leastWeight: 1e-6,
  /** Parts in which a deficit is dealt out: the share of a team is right to within one of them. */
  deficitParts: 60,
  /** Who gave way borrows nothing for a minute, then 2, 4 … 64. */
  borrowCoolDownMs: 60_000,
  borrowCoolDownDoublings: 6,
  borrowForgivenAfterMs: 3_600_000,
  /** A replica that restarted so often and is not ready shows a crash loop. */
  crashLoopRestarts: 3,

  // Failures
  /** Replicas whose failures a workload remembers: as many as the largest breaker counts. */
  failuresKept: 200,
  /** Of a replica that is gone. Bad hardware fails twice within a day. */
  failureMemoryMs: 86_400_000,
  /** What an agent tells is not trusted to be a number that can be added up. */
  failureCountMax: 10_000,
  /** A version that fails on so many nodes is to blame itself: two may be chance. */
  blameNodesLeast: 3,
  /** The least and the most failed replicas that a share of them may mean to a roll-out. */
  breakerLeast: 3,
  breakerMost: 200,
  /** Workloads that must fail on a node, and be fine elsewhere, for the node to be to blame. */
  blameWorkloadsLeast: 2,

  // Repack
  /** Less is not worth the stir, whatever share of the price it is. */
  repackLeastUsdPerHour: 0.01,
  /**
   * What a move must bring in an hour: a start, a warm-up and a little risk; of what a replica
   * costs in an hour on average, and at least so much.
   */
  repackMoveShare: 0.03,
  repackMoveUsdPerHour: 0.001,
  /** What was just put somewhere is left there so long. */
  repackRestMs: 300_000,
  /** A spot place that EC2 refused is shunned so long beyond its shortage. */
  repackQuietMs: 1_800_000,
  /** Two looks: an older proposal speaks of another herd. */
  repackProposalMaxAgeMs: 1_800_000,
  /** What a look proposes must fit one item with room to spare. */
  repackGroupsMax: 100,
  repackGroupsBytesMax: 200_000,
  repackPlacesMax: 10,
  repackRefusalsMax: 50,
  /** Groups that a pass asks the whole planner about; each costs as much as placing its work. */
  repackTrialsPerPass: 3,
  /** Of groups that came to nothing a pool remembers so many, for 15 min, then 30, … a day. */
  repackFailuresKept: 20,
  repackBackOffFirstMs: 900_000,
  repackBackOffMaxMs: 86_400_000,

  // Gangs
  /** A fleet that is not whole half an hour after it was asked for is held for nothing. */
  gangDeadlineSeconds: 1_800,
  /** A gang that was given up waits a minute, then 2, 4 … 64, before it tries again. */
  gangHoldOffMs: 60_000,
  gangHoldOffDoublings: 6,

  // Scaling
  metricsPerWorkload: 10,
  /** A number beyond this is a mistake, and neither arithmetic nor the table keeps it exact. */
  amountMax: 1e15,
  /** CloudWatch's own. */
  metricDimensionsMax: 30,
  /** As Kubernetes': a longer memory says little of what is needed now. */
  scaleWindowSecondsMax: 3_600,
  scalePolicySecondsMax: 1_800,
  scalePoliciesMax: 10,
  /** A change each minute of the longest window, and as many again. */
  scaleHistoryMax: 120,
  /** A reading that has moved by less, as a part of it, is not told again. */
  readingMovedShare: 0.1,
  scaleEveryMs: 60_000,
  /** Of a replica that an agent measured: two beats may be lost, and a third late. */
  usageMaxAgeMs: 120_000,
  /** More processors, or MiB, than any machine has. */
  usageMost: 1_000_000_000,
  /** Two looks so near to each other say little of what is used between them. */
  usageLeastMs: 1_000,
  /** A beat waits no longer for what replicas use. */
  usageReadMs: 3_000,
  /** Of a core, what nvidia-smi may take for it. */
  usageToolShare: 0.01,
  /** One source: SQS and CloudWatch answer in 50 ms. */
  metricReadMs: 5_000,
  metricReadsInFlight: 20,
  /** What is not begun by then is not read in this look, so that the others are heard. */
  metricsReadMs: 30_000,
  /** An answer that holds one number. */
  metricAnswerMaxBytes: 65_536,
  /** CloudWatch is asked for so many periods: it is often two behind. */
  metricPeriodsLooked: 5,
  /** A pushed value that nobody renews is no secret, but it is litter. */
  pushedDays: 7,

  // Spot fallback
  spotFallbackAfterMs: 60_000,
  spotFallbackClaims: 2,

  // Events and history
  /** Most entries one PutEvents takes. */
  busBatchMax: 10,
  busAttempts: 3,
  busRetryPauseMs: 200,
  busTimeoutMs: 2_000,
  /** All of a pass's news: what is left then is left out. */
  busPublishMs: 4_000,
  eventDays: 14,
  deletedSpecDays: 7,
  signalHours: 1,
  beatDays: 1,
  /**
   * The node's own item carries the outcome on, and history tells people; but as long as a machine
   * may stand in quarantine, its agent must not talk its way out by another story.
   */
  verdictDays: 8,
  quarantineSecondsMax: 604_800,
  /** Hardware that fails now and then shows over weeks. */
  burnInRecordDays: 60,
  eventTextMaxChars: 500,
  /**
   * One read looks at this many events at most, then hands back a cursor: a filter may match few.
   */
  eventsExaminedMax: 2_000,
  /** Puts of events in flight at once: well below the SDK's 50 sockets. */
  eventPutsInFlight: 20,
} as const

assert(
  LIMITS.lastLaunchStartMs + LIMITS.fleetTimeoutMs < LIMITS.reconcileTimeoutMs,
  'a launch started at the last moment ends before its Lambda does',
)
assert(
  LIMITS.reconcileTimeoutMs < LIMITS.reconcileVisibilityMs,
  'a message stays hidden while its pass may still run',
)
assert(
  LIMITS.wakeBucketMs + LIMITS.wakeSendTimeoutMs < LIMITS.wakeDelayMs,
  'a wake is delivered only after its deduplication bucket has closed',
)
assert(
  LIMITS.templateMaxBytes < LIMITS.assignmentMaxBytes && LIMITS.assignmentMaxBytes < 400_000,
  'an assignment fits a DynamoDB item',
)
assert(
  LIMITS.templateMaxBytes < LIMITS.specMaxBytes && LIMITS.specMaxBytes < 400_000,
  'a spec holds its template and fits a DynamoDB item',
)
assert(LIMITS.beatEveryMs * 2 < LIMITS.lostAfterMs, 'two beats may be lost before silence counts')
assert(
  LIMITS.reportRefreshMs * 2 < LIMITS.reportDays * 86_400_000,
  'a refresh may be missed before the report of a living node expires',
)
assert(
  LIMITS.makeFailuresLeast < LIMITS.failedPerHour && LIMITS.failedPerHour < LIMITS.failedKept,
  'machines are bought one at a time before none are bought at all',
)
assert(
  LIMITS.scaleWindowSecondsMax * 1000 < LIMITS.scaleHistoryMax * LIMITS.scaleEveryMs,
  "a window's recommendations are all remembered",
)
assert(
  LIMITS.quarantineSecondsMax < LIMITS.verdictDays * 86_400,
  'the verdict on a machine in quarantine is there as long as the machine',
)
assert(LIMITS.coverageGapMs === 2 * LIMITS.tickMs, 'coverage ends after two missed ticks')
assert(
  LIMITS.assignmentMaxBytes < LIMITS.itemMaxBytes && LIMITS.reportMaxBytes < LIMITS.itemMaxBytes,
  'what drover caps by itself fits an item',
)
assert(
  Math.max(LIMITS.reservationsMax, LIMITS.gangReplicasMax) * LIMITS.reservationMaxBytes < 350_000,
  'the room that is held for a workload fits its status',
)
assert(
  LIMITS.transactionMaxWrites + 1 === LIMITS.transactionMaxItems,
  'a full transaction leaves one place for the fence',
)
assert(
  LIMITS.storeAttempts * LIMITS.storeRequestTimeoutMs < LIMITS.lastWorkStartMs,
  'a store call gives up while its pass can still say so',
)
assert(
  LIMITS.dataListPagesMax * 1_000 >= LIMITS.dataObjectsMax,
  'a bucket is listed as far as its objects may be fetched',
)
