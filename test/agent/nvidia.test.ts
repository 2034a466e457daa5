import { describe, expect, test } from 'vitest'
import { judgeKernelLog } from '#agent/checks/kernel-log.ts'
import type { Finding } from '#agent/checks/finding.ts'
import { judgeDcgm } from '#agent/checks/nvidia/dcgm.ts'
import { judgeNvlink } from '#agent/checks/nvidia/nvlink.ts'
import { judgeDevices, judgeHeat, judgeLink, judgeMemory } from '#agent/checks/nvidia/smi-checks.ts'
import { busOf, readSmiLog, type SmiLog } from '#agent/checks/nvidia/smi-log.ts'
import { judgeSilence } from '#agent/checks/nvidia/smi-silence.ts'
import { judgeXids, xidsOf } from '#agent/checks/nvidia/xid-log.ts'
import { actionOf } from '#agent/checks/nvidia/xid-policy.ts'
import { messagesOf } from '#agent/adapters/kernel-log.ts'
import { checkSpecSchema, type CheckKind, type CheckOf } from '#shared/model/burn-in.ts'
import { capture, changed } from './captures.ts'

const spec = <K extends CheckKind>(check: K, extra: object = {}): CheckOf<K> =>
  checkSpecSchema.parse({ check, ...extra }) as CheckOf<K>

const told = ({ verdict, text }: Finding): string => `${verdict} ${text}`.trim()

function log(text: string): SmiLog {
  const read = readSmiLog(text)
  if ('unreadable' in read) throw new Error(read.unreadable)
  return read
}

const H100 = capture('nvidia-smi-h100-580.xml')
const T4 = capture('nvidia-smi-t4-515.xml')
const P2000 = capture('nvidia-smi-p2000-525.xml')

const judges = {
  'gpu-devices': (own: SmiLog, extra = {}) => judgeDevices(own, spec('gpu-devices', extra)),
  'gpu-memory': (own: SmiLog, extra = {}) => judgeMemory(own, spec('gpu-memory', extra)),
  'gpu-link': (own: SmiLog, extra: { load?: string[] } = {}) =>
    judgeLink(own, spec('gpu-link', extra), extra.load !== undefined),
  'gpu-heat': (own: SmiLog, extra = {}) => judgeHeat(own, spec('gpu-heat', extra)),
} as const

describe('nvidia-smi', () => {
  test.each([
    ['an H100 with driver 580', H100],
    ['a T4 of EC2 with driver 515, whose link is half as wide as it could be', T4],
    ['a Pascal card with driver 525', P2000],
  ])('%s is sound', (_, text) => {
    const all = Object.values(judges).map((judge) => told(judge(log(text))))
    expect(all).toEqual(['PASS', 'PASS', 'PASS', 'PASS'])
  })

  test('measures what limits can be set for', () => {
    const measures = Object.values(judges).map((judge) => judge(log(H100)).measures)
    expect(Object.assign({}, ...measures)).toEqual({
      gpus: 2,
      uncorrectedErrors: 0,
      remappedRowsUncorrected: 0,
      remappedRowsCorrected: 2,
      leastPcieWidth: 16,
      leastPcieGeneration: 5,
      pcieReplays: 18,
      hottestCelsius: 31,
      leastMarginCelsius: 56,
    })
  })

  // What stands for what: NVML's words and the names of the elements are NVIDIA's.
  const faults: [keyof typeof judges, string | RegExp, string, string, object?][] = [
    ['gpu-devices', '<attached_gpus>2', '<attached_gpus>8', 'UNKNOWN nvidia-smi shows 2 GPUs and'],
    [
      'gpu-devices',
      '81559 MiB',
      'GPU is lost',
      'FAIL GPU 0 at 0000:53:00: memory size GPU is lost',
    ],
    [
      'gpu-devices',
      /GPU-8f[^<]*/,
      'Unknown Error',
      'UNKNOWN GPU 0 at 0000:53:00: UUID Unknown Error',
    ],
    ['gpu-devices', /00<\/uuid>/, '01</uuid>', 'FAIL two GPUs have the same UUID'],
    ['gpu-devices', /<uuid>[^<]*<\/uuid>/, '', 'UNKNOWN GPU 0 at 0000:53:00: UUID is not told'],
    [
      'gpu-devices',
      'action>None',
      'action>Reset',
      'FAIL GPU 0 at 0000:53:00: recovery action is Reset',
    ],
    [
      'gpu-devices',
      'action>None',
      'action>Drain and Reset',
      'FAIL GPU 0 at 0000:53:00: recovery action',
    ],
    ['gpu-devices', '>580.', '>570.', 'INFRA the driver is 570.105.08', { minDriver: '580.95' }],
    ['gpu-devices', '>580.105', '>580.95', 'PASS', { minDriver: '580.95' }],
    ['gpu-devices', 'GPU', 'GPU', 'FAIL 2 GPUs of 8 are there', { count: 8 }],
    [
      'gpu-devices',
      '<?xml',
      'Unable to determine the device handle for GPU0000:C3:00.0: GPU is lost.\n<?xml',
      'FAIL Unable to determine the device handle for GPU0000:C3:00.0',
    ],
    [
      'gpu-memory',
      'dram_uncorrectable>0',
      'dram_uncorrectable>5',
      'FAIL GPU 0 at 0000:53:00: uncorrected',
    ],
    [
      'gpu-memory',
      'parity>0',
      'parity>1',
      'FAIL GPU 0 at 0000:53:00: uncorrected errors (sram_unc',
    ],
    [
      'gpu-memory',
      'row_pending>No',
      'row_pending>Yes',
      'FAIL GPU 0 at 0000:53:00: row remap pending',
    ],
    [
      'gpu-memory',
      'row_failure>No',
      'row_failure>Yes',
      'FAIL GPU 0 at 0000:53:00: row remap failure',
    ],
    [
      'gpu-memory',
      'exceeded>No',
      'exceeded>Yes',
      'FAIL GPU 0 at 0000:53:00: SRAM threshold exceeded',
    ],
    [
      'gpu-memory',
      'repair_pending>No',
      'repair_pending>Yes',
      'FAIL GPU 0 at 0000:53:00: channel rep',
    ],
    [
      'gpu-memory',
      'row_pending>No',
      'row_pending>Maybe',
      'UNKNOWN GPU 0 at 0000:53:00: row remap pend',
    ],
    [
      'gpu-memory',
      'current_ecc>Enabled',
      'current_ecc>Disabled',
      'WARN GPU 0 at 0000:53:00: ECC mode',
    ],
    ['gpu-memory', 'current_ecc>Enabled', 'current_ecc>N/A', 'UNKNOWN GPU 0', { ecc: 'on' }],
    [
      'gpu-memory',
      /<volatile>[^]*?<\/volatile>/,
      '',
      'UNKNOWN GPU 0 at 0000:53:00: ECC counters is not told',
    ],
    [
      'gpu-memory',
      /<remapped_rows>[^]*?<\/remapped_rows>/,
      '<remapped_rows>GPU requires reset</remapped_rows>',
      'FAIL GPU 0 at 0000:53:00: row remap pending GPU requires reset',
    ],
    [
      'gpu-link',
      'current_link_width>16x',
      'current_link_width>4x',
      'FAIL GPU 0 at 0000:53:00: PCIe wid',
    ],
    ['gpu-link', 'current_link_gen>5', 'current_link_gen>1', 'PASS'],
    [
      'gpu-link',
      '<current_link_gen>5',
      '<current_link_gen>1',
      'FAIL GPU 0 at 0000:53:00: PCIe generation is 1',
      { load: ['burn'] },
    ],
    ['gpu-link', 'state>Completed', 'state>In Progress', 'INFRA GPU 0 at 0000:53:00: fabric state'],
    [
      'gpu-link',
      'status>Success',
      'status>Insufficient Resources',
      'FAIL GPU 0 at 0000:53:00: fabric',
    ],
    ['gpu-link', 'summary>N/A', 'summary>Unhealthy', 'FAIL GPU 0 at 0000:53:00: fabric health'],
    ['gpu-heat', '>31 C', '>91 C', 'FAIL GPU 0 at 0000:53:00: temperature is 91 C'],
    ['gpu-heat', '>56 C', '>-1 C', 'FAIL GPU 0 at 0000:53:00: margin to its limit is -1 C'],
    ['gpu-heat', '>31 C', '>ERR!', 'UNKNOWN GPU 0 at 0000:53:00: temperature ERR!'],
    ['gpu-heat', 'hw_slowdown>Not', 'hw_slowdown>', 'FAIL GPU 0 at 0000:53:00: slowed by hardware'],
    [
      'gpu-heat',
      'brake_slowdown>Not',
      'brake_slowdown>',
      'FAIL GPU 0 at 0000:53:00: slowed by its pow',
    ],
    [
      'gpu-heat',
      'sw_thermal_slowdown>Not',
      'sw_thermal_slowdown>',
      'WARN GPU 0 at 0000:53:00: slowed',
    ],
  ]
  test.each(faults)('%s: %s as %s is %s', (...row) => {
    const [check, from, to, wanted, extra] = row
    const text = from === to ? H100 : changed(H100, from, to)
    const said = told(judges[check](log(text), extra ?? {}))
    expect(said.slice(0, wanted.length)).toBe(wanted)
  })

  test('names the same place as the kernel does', () => {
    expect(busOf('00000000:53:00.0')).toBe('0000:53:00')
    expect(busOf('0000:00:1E')).toBe('0000:00:1e')
    expect(busOf('nonsense')).toBe('')
  })

  test('that is cut short, or prints something else, is not read', () => {
    expect(readSmiLog(H100.slice(0, -40))).toMatchObject({
      unreadable: expect.anything() as unknown,
    })
    expect(readSmiLog('No devices were found\n')).toHaveProperty('unreadable')
    expect(readSmiLog(changed(H100, '</uuid>', ''))).toHaveProperty('unreadable')
  })

  test.each([
    [9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 'INFRA'],
    [18, 'Failed to initialize NVML: Driver/library version mismatch', 'INFRA'],
    [6, 'No devices were found', 'FAIL'],
    [15, 'Unable to determine the device handle for GPU0000:C3:00.0: GPU is lost.', 'FAIL'],
    [0, 'Unable to determine the device handle for GPU3: 0000:04:00.0: Unknown Error', 'FAIL'],
    [15, '', 'FAIL'],
    [0, '', 'UNKNOWN'],
    [255, 'something else', 'UNKNOWN'],
  ])('that ends with %i and says "%s" is %s', (code, stdout, verdict) => {
    const ended = { code, stdout, stderr: '', isLate: false }
    expect(judgeSilence(ended, 'it printed nothing').verdict).toBe(verdict)
  })
})

describe('nvidia-smi nvlink', () => {
  const links = capture('nvlink-h100.txt')
  test.each([
    ['all up', links, 18, 'PASS'],
    ['too few', changed(links, /\t Link 17.*\n/, ''), 18, 'FAIL GPU 0: 17 NVLinks of 18 are up'],
    [
      'one down',
      changed(links, '26.562 GB/s', '<inactive>'),
      0,
      'FAIL GPU 0: NVLink 0 is inactive',
    ],
    [
      'all down',
      'GPU 0: NVIDIA A100 (UUID: GPU-1)\nNVML: as all links are inActive\n',
      0,
      'FAIL GPU 0: all NVLinks are inactive',
    ],
    ['none to have', 'GPU 0: NVIDIA L4 (UUID: GPU-1)\n', 0, 'PASS'],
    [
      'cut off in front',
      `inactive>ink 17: 26.562 GB/s\n${links.slice(links.indexOf('GPU 1'))}`,
      18,
      'UNKNOWN cannot be read: inactive>ink 17: 26.562 GB/s',
    ],
    ['nothing said', '', 4, 'UNKNOWN no GPU tells of NVLinks'],
    [
      'odd',
      changed(links, '26.562 GB/s', 'fast'),
      0,
      'UNKNOWN GPU 0: NVLink 0 cannot be read: fast',
    ],
  ] as const)('%s', (...row) => {
    const [, text, least, wanted] = row
    expect(told(judgeNvlink(text, least))).toBe(wanted)
  })
})

describe('XIDs', () => {
  const records = capture('kernel-xid.txt')
  const of = (line: string): string => told(judgeXids([line]))

  test('of programs are worth knowing', () => {
    expect(xidsOf(messagesOf(records))).toEqual([
      { bus: '0000:53:00', code: 31, action: 'restart-app' },
      { bus: '0000:64:00', code: 43, action: 'ignore' },
    ])
    expect(judgeXids(messagesOf(records))).toMatchObject({
      verdict: 'WARN',
      measures: { xids: 2 },
      text: "XID 31 at 0000:53:00: a program's fault",
    })
  })

  test.each([
    [
      'NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.',
      'FAIL XID 79 at 0000:3b:00: the machine',
    ],
    [
      '[430.5] NVRM: Xid (PCI:0000:52:00): 48, pid=1, name=x, An uncorrectable',
      'FAIL XID 48 at 0000:52:00',
    ],
    [
      'NVRM: Xid (PCI:0000:01:00 GPU-I:05): 95, pid=7, Uncontained',
      'FAIL XID 95 at 0000:01:00: the GPU',
    ],
    [
      'NVRM: Xid (PCI:0000:10:1c): 63, pid=1850, Row Remapper',
      'FAIL XID 63 at 0000:10:1c: the GPU wants a',
    ],
    [
      'NVRM: Xid (PCI:0000:10:1c): 74, NVLink: fatal error',
      'FAIL XID 74 at 0000:10:1c: the GPU wants rep',
    ],
    ['NVRM: Xid (PCI:0000:10:1c): 46', 'FAIL XID 46 at 0000:10:1c: the GPU wants a reset'],
    [
      'NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.',
      'FAIL XID 79 at 0000:18:00: the machine',
    ],
    ['NVRM: Xid (PCI:0000:10:1c): 1234, whatever', 'PASS'],
    ['python: Xid (PCI:0000:10:1c): 79, not from the driver', 'PASS'],
  ])('%s', (line, wanted) => {
    expect(of(line).slice(0, wanted.length)).toBe(wanted)
  })

  test('are not read out of the names of processes', () => {
    const line =
      'NVRM: Xid (PCI:0000:01:00): 43, pid=7, name=x): 79, y, NVRM: Xid (PCI:0000:01:00): 79,'
    expect(xidsOf([line])).toEqual([{ bus: '0000:01:00', code: 43, action: 'ignore' }])
  })

  test('of the driver’s own advice: the last of each GPU counts, whatever its words', () => {
    const advice = (to: string): string =>
      `NVRM: Xid (PCI:0000:02:00): 154, GPU recovery action changed from 0x0 (None) to ${to}`
    expect(of(advice('0x2 (OS Reboot)'))).toContain('the machine wants a reboot')
    expect(of(advice('0x1 (GPU Reset Required)'))).toContain('the GPU wants a reset')
    expect(of(advice('0x9 (Exorcism)'))).toContain('the GPU wants replacing')
    const mended = [advice('0x2 (OS Reboot)'), advice('0x0 (None)')]
    expect(judgeXids(mended).verdict).toBe('PASS')
  })

  test('where NVIDIA and EC2 disagree', () => {
    expect([63, 74, 94, 64, 92].map(actionOf)).toEqual([
      'reset',
      'replace',
      'restart-app',
      'reset',
      'ignore',
    ])
  })
})

describe('dcgmi diag', () => {
  const four = capture('dcgm-4.4-level2.json')
  const deep = capture('dcgm-4.4-level3.json')
  const three = capture('dcgm-3.1-level2.json')
  /** The first result of a test, failed as DCGM 4 tells it. */
  const failed = (severity: number): string =>
    changed(
      four,
      /("name": "memory",[^]*?"status": )"Pass"/,
      `$1"Fail", "warnings": [{"warning": "DBE", "error_severity": ${String(severity)}}]`,
    )

  test.each([
    ['DCGM 4, level 2', four, 2, 'PASS'],
    ['DCGM 4, level 3', deep, 3, 'PASS'],
    ['DCGM 3, level 2', three, 2, 'PASS'],
    ['less than was asked for', four, 3, 'UNKNOWN DCGM did not test diagnostic, targeted_stress'],
    ['a failure to isolate', failed(2), 2, 'FAIL memory on GPU 0: DBE'],
    ['a failure to reset', failed(6), 2, 'FAIL memory on GPU 0: DBE'],
    ['a failure of no severity known', failed(9), 2, 'FAIL memory on GPU 0: DBE'],
    ['something to watch', failed(1), 2, 'WARN memory on GPU 0: DBE'],
    [
      'a test that could not be made as the machine is set up',
      failed(5),
      2,
      'INFRA memory on GPU 0',
    ],
    [
      'a failure as DCGM 3 tells it',
      changed(
        three,
        /("gpu_ids": "0",\s+"status": )"Pass"/,
        '$1"Fail", "warnings": "low bandwidth"',
      ),
      2,
      'FAIL PCIe on GPU 0: low bandwidth',
    ],
    [
      'a test that was skipped',
      changed(four, /("name": "pcie",[^]*?"status": )"Pass"/, '$1"Skip"'),
      2,
      'UNKNOWN DCGM did not test pcie',
    ],
    [
      'a status nobody knows',
      changed(four, /("name": "pcie",[^]*?"status": )"Pass"/, '$1"Shrug"'),
      2,
      'UNKNOWN pcie on GPU 0: Shrug',
    ],
    ['holes in a list', changed(three, '"results": [', '"results": [null, '), 2, 'PASS'],
    [
      'an engine that is not there',
      'Error: unable to establish a connection to the specified host: localhost\n',
      2,
      'INFRA Error: unable to establish a connection to the specified host: localhost',
    ],
    [
      'a run that could not be made',
      '{"DCGM Diagnostic": {"version": "4.5.2", "runtime_error": "Error: paused"}}',
      2,
      'INFRA Error: paused',
    ],
    [
      'no tests at all',
      '{"DCGM Diagnostic": {"version": "4.5.2"}}',
      1,
      'UNKNOWN DCGM did not test',
    ],
    ['no result', 'Killed', 2, 'UNKNOWN no result: Killed'],
    ['half a result', four.slice(0, 400), 2, 'UNKNOWN no result'],
  ] as const)('%s', (...row) => {
    const [, text, level, wanted] = row
    expect(told(judgeDcgm(text, level)).slice(0, wanted.length)).toBe(wanted)
  })
})

describe("the kernel's log", () => {
  test.each([
    ['nvme nvme4: Disabling device after reset failure: -19', 'FAIL'],
    ['EXT4-fs (md0): Remounting filesystem read-only', 'FAIL'],
    ['EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0', 'FAIL'],
    ['EDAC MC0: 2 CE memory read error on CPU_SrcID#0_MC#0', 'WARN'],
    ['{1}[Hardware Error]: event severity: corrected', 'WARN'],
    ['{1}[Hardware Error]: event severity: fatal', 'FAIL'],
    ['watchdog: BUG: soft lockup - CPU#18 stuck for 27s! [python3:2254956]', 'FAIL'],
    ['blk_update_request: I/O error, dev nvme1n1, sector 12345', 'FAIL'],
    ['I/O error, dev loop0, sector 0', 'PASS'],
    ['nvme nvme0: I/O 978 QID 3 timeout, completion polled', 'PASS'],
    ['Out of memory: Killed process 123 (httpd)', 'PASS'],
    ['Buffer I/O error on dev fd0, logical block 0, async page read', 'PASS'],
    ['EXT4-fs error (device nvme0n1p1): ext4_find_entry:1455', 'FAIL'],
    ['python[7]: Kernel panic: segfault at 0', 'PASS'],
  ])('%s: %s', (line, verdict) => {
    const { verdict: found, needs } = judgeKernelLog([line])
    expect([found, needs]).toEqual([verdict, verdict === 'FAIL' ? 'reboot' : undefined])
  })

  test('is read from records and from plain lines alike', () => {
    expect(
      messagesOf('6,1,2,-;a;b\n SUBSYSTEM=pci\n4,2,3,-;two\\x0alines\n[  1.0] plain\n'),
    ).toEqual(['a;b', 'two lines', '[  1.0] plain'])
  })
})
