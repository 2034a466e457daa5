import { describe, expect, it } from 'vitest'
import { reportSchema, type Report } from '#shared/model/report.ts'
import { persistedSchema } from '#agent/persisted.ts'
import {
  lookAtClock,
  lookAtDisk,
  lookAtGpus,
  lookAtKernel,
  type Look,
} from '#agent/health/looks.ts'
import { reportContent } from '#agent/reporting.ts'
import { capture, changed } from './captures.ts'
import { Story } from './story.ts'

const MINUTE_MS = 60_000
const GPUS = [
  { index: 0, uuid: 'GPU-8f3c1d2e-5a6b-4c7d-9e0f-012345678900', bus: '0000:53:00' },
  { index: 1, uuid: 'GPU-8f3c1d2e-5a6b-4c7d-9e0f-012345678901', bus: '0000:64:00' },
]
const well = { code: 0, isLate: false, stderr: '' }
const kernel = (...lines: string[]): Look => lookAtKernel(lines, GPUS)
const IO_ERROR = 'I/O error, dev nvme1n1, sector 2048 op 0x0:(READ)'
const xid = (code: number, at = '0000:53:00'): string => `NVRM: Xid (PCI:${at}): ${String(code)}, x`

/** An agent that looks once a minute, and what its reports tell. */
class Watch {
  readonly story = new Story().boot()
  minute = 0
  reports: Report[] = []

  look(...looks: Look[]): string {
    this.minute += 1
    return this.happens({ kind: 'looked', looks })
  }

  happens(event: Parameters<Story['all']>[1]): string {
    const nowMs = this.minute * MINUTE_MS
    const effects = [...this.effects(nowMs, event), ...this.effects(nowMs + 200, { kind: 'tick' })]
    const written = effects.flatMap((own) => (own.kind === 'write-report' ? [own.report] : []))
    if (written.length > 0) this.effects(nowMs + 210, { kind: 'report-written' })
    this.reports.push(...written)
    return written.length === 0 ? 'silence' : this.told()
  }

  effects(nowMs: number, event: Parameters<Story['all']>[1]): Story['effects'] {
    this.story.all(nowMs, event)
    return this.story.effects
  }

  told(): string {
    const health = reportContent(this.story.state, 0).health ?? []
    return health.map(({ reason, times }) => `${reason}×${String(times)}`).join(' ') || 'well'
  }
}

const begun = (): Watch => {
  const watch = new Watch()
  watch.happens({ kind: 'tick' })
  return watch
}

describe('what is told of health', () => {
  it('is nothing while nothing is amiss: not a write more than before', () => {
    const watch = begun()
    const looks = [kernel('eth0: link up'), lookAtDisk({ used: 1, free: 9 }, 95), lookAtClock(300)]
    for (let i = 0; i < 60; i += 1) expect(watch.look(...looks)).toBe('silence')
    expect(watch.reports).toHaveLength(1)
    expect(watch.reports[0]).not.toHaveProperty('health')
    expect(watch.story.state.persisted).not.toHaveProperty('health')
  })

  it('is what the kernel tells, at once, and then only now and then', () => {
    const watch = begun()
    expect(watch.look(kernel(IO_ERROR))).toBe('DiskError×1')
    const ten = Array.from({ length: 10 }, () => watch.look(kernel(IO_ERROR, IO_ERROR)))
    expect(ten).toEqual([...Array<string>(9).fill('silence'), 'DiskError×11'])
    expect(watch.look(kernel())).toBe('silence')
    expect(watch.told()).toBe('DiskError×11')
  })

  it('is how things stand, once two looks say so, in words that stay', () => {
    const watch = begun()
    const full = (used: number): Look => lookAtDisk({ used, free: 1000 - used }, 95)
    const seen = [960, 940, 960, 970, 980, 940, 980, 940, 940].map((used) => watch.look(full(used)))
    expect(seen).toEqual([
      ...['silence', 'silence', 'silence', 'DiskNearlyFull×1'],
      ...['silence', 'silence', 'silence', 'silence', 'well'],
    ])
  })

  it('stands while an area cannot be looked at', () => {
    const watch = begun()
    watch.look(lookAtClock(9_000))
    expect(watch.look(lookAtClock(9_000))).toBe('ClockOff×1')
    expect([watch.look(), watch.look(), watch.look()]).toEqual(['silence', 'silence', 'silence'])
    expect(watch.told()).toBe('ClockOff×1')
  })

  it('names another GPU as soon as it is one more', () => {
    const watch = begun()
    expect(watch.look(kernel(xid(95)))).toBe('XidReset×1')
    expect(watch.look(kernel(xid(95, '0000:64:00')))).toBe('XidReset×2')
    const [finding] = watch.reports.at(-1)?.health ?? []
    expect(finding?.devices).toEqual(GPUS.map((own) => own.uuid))
  })

  it('outlives the agent within a boot, and is no news to the next', () => {
    const watch = begun()
    watch.look(kernel(IO_ERROR))
    const persisted = persistedSchema.parse(JSON.parse(JSON.stringify(watch.story.state.persisted)))
    const again = new Watch()
    again.effects(0, { kind: 'booted', adopted: [], persisted })
    expect(again.told()).toBe('DiskError×1')
    again.look({ ...kernel(IO_ERROR), isWhole: true })
    expect(again.told()).toBe('DiskError×1')
    const rebooted = new Watch()
    rebooted.story.state = { ...rebooted.story.state, booted: false }
    rebooted.effects(0, { kind: 'booted', adopted: [], persisted: { ...persisted, bootId: 'old' } })
    expect(rebooted.told()).toBe('well')
  })

  it('survives the way through the table', () => {
    const watch = begun()
    watch.look(kernel(IO_ERROR, xid(79)))
    const [report] = watch.reports.slice(-1)
    expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report)
    expect(report?.health?.map((own) => own.reason)).toEqual(['DiskError', 'XidReboot'])
  })
})

describe('a look at GPUs', () => {
  const stdout = capture('nvidia-smi-h100-580.xml')
  const seen = (text: string, known = GPUS): string[] =>
    lookAtGpus({ ...well, stdout: text }, known).seen.map((own) => own.problem)
  it.each([
    ['nothing of sound ones', stdout, []],
    [
      'what no reset mends',
      changed(stdout, 'row_failure>No<', 'row_failure>Yes<'),
      ['GpuRepairFailed'],
    ],
    [
      'what waits for a reset',
      changed(stdout, 'row_pending>No<', 'row_pending>Yes<'),
      ['GpuRepairPending'],
    ],
    [
      'what the driver advises',
      changed(stdout, 'recovery_action>None<', 'recovery_action>Reset<'),
      ['GpuResetNeeded'],
    ],
    [
      'errors that could not be mended',
      changed(stdout, 'dram_uncorrectable>0<', 'dram_uncorrectable>2<'),
      ['GpuMemoryError'],
    ],
    [
      'that clocks are slowed',
      changed(stdout, 'hw_slowdown>Not Active<', 'hw_slowdown>Active<'),
      ['GpuSlowed'],
    ],
    ['a lost GPU', changed(stdout, /<uuid>[^<]*</, '<uuid>GPU is lost<'), ['GpuMissing']],
  ] as const)('tells %s', (_, text, problems) => {
    expect(seen(text)).toEqual(problems)
  })

  it('misses one that was there when the agent started', () => {
    const third = { index: 2, uuid: 'GPU-8f3c1d2e-5a6b-4c7d-9e0f-012345678902', bus: '0000:75:00' }
    const look = lookAtGpus({ ...well, stdout }, [...GPUS, third])
    expect(look.seen).toEqual([
      { problem: 'GpuMissing', text: 'GPU 2 at 0000:75:00 is gone', devices: [third.uuid] },
    ])
  })

  it.each([
    ['No devices were found', 'GpuMissing'],
    ['Failed to initialize NVML: Driver/library version mismatch', 'GpuDriverUnusable'],
    ['?', 'GpuSilent'],
  ])('makes of %s %s', (text, problem) => {
    expect(seen(text)).toEqual([problem])
  })

  it('takes one that does not end for a driver that hangs', () => {
    const late = lookAtGpus({ isLate: true, stdout: '', stderr: '' }, GPUS)
    expect(late.seen.map((own) => own.problem)).toEqual(['GpuSilent'])
  })
})

describe("a look at the kernel's log", () => {
  it.each([
    ['EDAC MC0: 1 UE memory read error on CPU_SrcID#0', 'MemoryError'],
    ['EDAC MC0: 1 CE memory read error on CPU_SrcID#0', 'MemoryCorrected'],
    ['EXT4-fs (nvme0n1p1): Remounting filesystem read-only', 'DiskError'],
    ['nvme nvme1: I/O 128 QID 3 timeout, reset controller', 'DiskReset'],
    ['watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [web:1]', 'ProcessorHung'],
    ['BUG: unable to handle page fault for address: 0', 'KernelFault'],
    [xid(31), 'XidRestartApp'],
    [xid(119), 'XidReset'],
    [xid(79), 'XidReboot'],
    [xid(74), 'XidReplace'],
  ])('makes of "%s" %s', (line, problem) => {
    expect(kernel(line).seen.map((own) => own.problem)).toEqual([problem])
  })

  it('makes nothing of what is none of its business', () => {
    expect(kernel('Out of memory: Killed process 1 (web)', xid(43)).seen).toEqual([])
  })
})
