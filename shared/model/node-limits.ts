/**
 * The limits of what runs on a node: agents, their data, containers, and the watch on the machine.
 *
 * A part of `LIMITS` (limits.ts), where their relations to the others are asserted too.
 */
export const NODE_LIMITS = {
  // Agents
  headPollMs: 2_000,
  metadataPollMs: 5_000,
  /**
   * A node's table calls: a healthy DynamoDB answers in 10 ms; beyond this the next try is cheaper.
   */
  agentTableTimeoutMs: 2_500,
  metadataTimeoutMs: 2_000,
  /** Back-off between an agent's failed calls: the first pause, doubling to the last. */
  agentRetryFirstMs: 500,
  agentRetryMaxMs: 10_000,
  /** Changes that come together share one report. */
  reportCoalesceMs: 100,
  /** A report expires a day after its last write, so a quiet node writes it again long before. */
  reportRefreshMs: 6 * 3_600_000,
  reportDays: 1,
  /** Crashed replicas start again after 1, 2, 4 … 300 s, as in Kubernetes' CrashLoopBackOff. */
  restartFirstMs: 1_000,
  restartMaxMs: 300_000,
  /** One that stayed up this long has earned a clean slate. */
  restartResetMs: 600_000,
  /** A group that survives SIGKILL (a process in uninterruptible sleep) is killed again. */
  killRepeatMs: 5_000,
  /** Until its first success a probe does not wait for a long interval. */
  firstProbeEveryMs: 1_000,
  /**
   * What a replica gets to stop when its node ends itself: its own grace, but no more than this.
   */
  powerOffGraceSeconds: 10,
  /** Processes that an earlier agent started are no children; they are looked at this often. */
  adoptedPollMs: 500,
  /** A replica's log: the file in use and the older ones beside it. */
  logFileMaxBytes: 10_485_760,
  logFilesKept: 3,
  logCheckMs: 5_000,
  /** Log files of replicas that are gone, kept for whoever asks why. */
  goneLogFilesMax: 50,
  /** Below Linux's ephemeral range (32768 up), so no outgoing connection takes one first. */
  replicaPortFirst: 20_000,
  replicaPortLast: 31_999,
  replicaPortTries: 200,
  // Data
  /** More at once share the same network card, and each comes later. */
  dataFetchesAtOnce: 2,
  /** A source that fails is asked again after 5, 10, 20 … 300 s. */
  dataRetryFirstMs: 5_000,
  dataRetryMaxMs: 300_000,
  /** A fetch is told of anew after so long and so much more: each time wakes reconcile. */
  dataProgressMs: 10_000,
  dataProgressShare: 0.1,
  /** How often a fetch tells the agent's loop how far it is. */
  dataToldMs: 500,
  /** Objects of a version: a list of them is 10 MB, and a tree of them made in a second or two. */
  dataObjectsMax: 50_000,
  /** S3's own page has a thousand keys; some of them may be folders without content. */
  dataListPagesMax: 100,
  dataManifestMaxBytes: 16_777_216,
  /** File systems' own limit for one part of a path. */
  dataPathPartMaxBytes: 255,
  /** One connection to S3 gives 0.1 GB/s; four fill what small machines have. */
  dataObjectsAtOnce: 4,
  /** No byte for so long: whoever serves it is not going to. */
  dataIdleMs: 30_000,
  /** Tries of an object that brought nothing; a cut that comes after some bytes is no such try. */
  dataTries: 4,
  dataTryPauseMs: 500,
  /** A server that cuts an object into more pieces than this is not mending. */
  dataResumesMax: 100,
  dataRedirectsMax: 3,
  /** What nobody keeps is here for a day, in case that it is wanted again. */
  dataKeepMs: 86_400_000,
  dataSweepMs: 3_600_000,
  /** Left free for logs and for whatever else a machine writes. */
  dataSpareBytes: 268_435_456,
  /** Of its file system, what the cache may take. */
  dataCachePercent: 80,
  /** How often free space is looked at, by what was written. */
  dataSpaceEveryBytes: 67_108_864,

  // Containers
  /** After so long a pool without an engine is tried once more: images change under their name. */
  poolRuntimesMs: 21_600_000,
  /** An engine that is asked for nothing heavy answers in milliseconds. */
  dockerCallMs: 30_000,
  /** To make a container and to start it: a full disk or a slow hook takes its time. */
  dockerStartMs: 120_000,
  /** An engine starts with its machine; who does not wait would not find its containers. */
  dockerWaitMs: 60_000,
  /** A second apart, more or less: longer than an engine takes to restart. */
  dockerSignalTries: 30,
  dockerRemoveTries: 50,
  dockerRemovePollMs: 100,
  /** Of a container's log, what is kept when it is removed. */
  keptLogLines: 1_000,
  /** Large layers are unpacked in silence. */
  imagePullIdleMs: 300_000,
  imagePullMs: 1_800_000,
  imagePullTries: 3,
  /** Well below what data may fill and where a disk counts as full. */
  imagesPercent: 70,
  /** So much more is let go than must be, or the next image would find the same. */
  imagesSparePercent: 10,
  /** What was asked for so lately is about to be used. */
  imageKeptMs: 600_000,
  imagePullRetryMs: 5_000,
  registryTokenMs: 10_000,
  /** A token is renewed so long before its end. */
  registryTokenSpareMs: 1_800_000,
  diskCheckMib: 64,
  /** Records of the kernel's log that are read at a time; its ring has room for fewer. */
  kernelRecordsMax: 200_000,
  /** A driver that loads with its machine is up within seconds. */
  gpuReadTries: 3,
  gpuReadPauseMs: 5_000,
  /** What SIGKILL has not ended by then hangs in the kernel. */
  toolKillMs: 2_000,
  /** Of what a tool prints, the end of it. */
  toolOutputMaxBytes: 4_194_304,
  /** Reports and nodes carry a result for each. */
  checksPerSuiteMax: 50,
  /** Slow boots of slow machines are no reason to fail one. */
  burnInTimeoutSeconds: 300,
  /** A hall of bad machines is emptied within weeks, and new machines come to it. */
  rateHalfLifeMs: 7 * 86_400_000,
  /** Of types, zones and images that failures are counted by; the lightest goes first. 30 KB. */
  ratesKept: 300,
  /** A month after its only machine a place is forgotten. */
  rateLeastWeight: 0.05,
  /** How often counts are written again when another was faster; a lost one does no harm. */
  rateWriteAttempts: 5,
  /** A rejected GPU is tested again after so long: somebody may have mended it meanwhile. */
  hardwareRejectedMs: 30 * 86_400_000,
  /** A certificate is believed so long where the pool does not say how often it wants tests. */
  certificateMs: 30 * 86_400_000,
  /** A busy machine that could not be emptied for a test is left alone so long. */
  retestAgainMs: 3_600_000,
  /** Work that fails so soon after a machine has passed says that the pass was worth little. */
  suspicionMs: 86_400_000,
  /** After the first INFRA; twice as long after the next. */
  burnInRetryMs: 10_000,

  // Health in service
  /** A kernel's message or a counter that is a minute old will do, and a look is not free. */
  healthLookMs: 60_000,
  /**
   * Of a core, what nvidia-smi may take, were it busy all the time it runs: it is asked the less
   * often the longer it takes, but no less often than this. Its XIDs come by the kernel's log.
   */
  healthToolShare: 0.004,
  healthToolPauseMaxMs: 600_000,
  /** What a look shows once may be a slip: it comes, and it goes, with the second in a row. */
  healthLooksToTell: 2,
  /** A fault that comes up again and again is told of no more often than this. */
  healthRepeatMs: 600_000,
  /** Problems that a report and a node may list: as many as there are sorts of them, about. */
  healthFindingsMax: 32,
  healthTextMaxChars: 200,
  /** What comes back so soon after a test that found nothing is not worth another. */
  healthMemoryMs: 7 * 86_400_000,
  /** So many of a pool with one problem, and more than a brake's share: it is not the machines. */
  healthCommonLeast: 3,
  /** Of the agent's file system; beyond it an image or a log may fill the rest at any time. */
  diskFullPercent: 95,
} as const
