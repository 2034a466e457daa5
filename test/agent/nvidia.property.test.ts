import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messagesOf } from '#agent/adapters/kernel-log.ts'
import { judgeCommand } from '#agent/checks/command.ts'
import type { Finding } from '#agent/checks/finding.ts'
import { judgeKernelLog } from '#agent/checks/kernel-log.ts'
import { judgeDcgm } from '#agent/checks/nvidia/dcgm.ts'
import { judgeNvlink } from '#agent/checks/nvidia/nvlink.ts'
import { judgeDevices, judgeHeat, judgeLink, judgeMemory } from '#agent/checks/nvidia/smi-checks.ts'
import { readSmiLog, type SmiLog } from '#agent/checks/nvidia/smi-log.ts'
import { judgeSilence } from '#agent/checks/nvidia/smi-silence.ts'
import { judgeXids } from '#agent/checks/nvidia/xid-log.ts'
import { checkResultSchema } from '#shared/model/verdict.ts'
import { capture } from './captures.ts'

/** Every parser holds against so many inputs. */
const RUNS = { numRuns: 10_000 }

/** What tools have been seen to say where something is wrong, and what breaks parsers. */
const WORDS = [
  ...[
    '',
    ' ',
    '\n',
    '\0',
    '<',
    '>',
    '</gpu>',
    '<gpu id="x">',
    '"',
    '{',
    '}',
    '[null,',
    '&amp;',
    '&',
  ],
  ...['N/A', '[N/A]', 'GPU is lost', 'GPU requires reset', 'Unknown Error', 'ERR!', 'Yes', 'No'],
  ...[
    'Active',
    'Not Active',
    '0',
    '1',
    '5',
    '99',
    '-1',
    '1e9',
    'NaN',
    '<inactive>',
    'Fail',
    'Skip',
  ],
  ...['Pass', 'Warn', 'NVRM: Xid (PCI:0000:01:00): 79, x', 'EDAC MC0: 1 UE', '__proto__', 'é'],
]

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.oneof(fc.nat(4), fc.nat(400)),
  put: fc.constantFrom(...WORDS),
})

/** The text with pieces cut out of it and words put in; cut short at times, noise at times. */
function spoilt(...texts: readonly string[]): fc.Arbitrary<string> {
  const edited = fc
    .tuple(fc.constantFrom(...texts), fc.array(edit, { minLength: 0, maxLength: 4 }))
    .map(([text, edits]) =>
      edits.reduce((now, { at, cut, put }) => {
        const from = Math.floor(at * now.length)
        return now.slice(0, from) + put + now.slice(from + cut)
      }, text),
    )
  const short = fc
    .tuple(fc.constantFrom(...texts), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([text, part]) => text.slice(0, Math.floor(part * text.length)))
  const noise = fc.string({ unit: 'binary', maxLength: 200 })
  return fc.oneof({ weight: 8, arbitrary: edited }, { weight: 1, arbitrary: short }, noise)
}

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, own = '']) => own)

const count = (text: string, pattern: RegExp): number => all(text, pattern).length

/** Never throws, is a result that can be reported, and passes only what `mayPass` finds sound. */
function holds(judge: (text: string) => Finding, mayPass: (text: string) => boolean) {
  return (text: string): void => {
    const finding = judge(text)
    const { devices: _, ...told } = finding
    checkResultSchema.parse({ name: 'fuzzed', ...told })
    if (finding.verdict === 'PASS') expect(mayPass(text), JSON.stringify(text)).toBe(true)
  }
}

const limits = { limits: {}, timeoutSeconds: 1 }
const T4 = capture('nvidia-smi-t4-515.xml')
const H100 = capture('nvidia-smi-h100-580.xml')

function bySmi(judge: (log: SmiLog) => Finding): (text: string) => Finding {
  return (text) => {
    const log = readSmiLog(text)
    if (!('unreadable' in log)) return judge(log)
    return judgeSilence({ code: 0, stdout: text, stderr: '', isLate: false }, log.unreadable)
  }
}

// A second, dumber way to see that a document is sound: by pattern, without a tree.
const gpus = (text: string): number => count(text, /<gpu\b([^>]*)>/g)

const inside =
  (sound: (text: string) => boolean) =>
  (text: string): boolean =>
    sound(/<nvidia_smi_log[^]*<\/nvidia_smi_log>/.exec(text)?.[0] ?? '')

describe('nvidia-smi', () => {
  test('devices', { timeout: 120_000 }, () => {
    const judge = bySmi((log) => judgeDevices(log, { check: 'gpu-devices', ...limits }))
    const sound = inside((text) => {
      const uuids = all(text, /<uuid>\s*(GPU-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s*</g)
      const [attached = ''] = all(text, /<attached_gpus>\s*(\d+)\s*</g)
      const sizes = count(text, /<total>\s*([1-9]\d*) MiB/g)
      return (
        gpus(text) > 0 &&
        Number(attached) === gpus(text) &&
        new Set(uuids).size === gpus(text) &&
        sizes >= gpus(text)
      )
    })
    fc.assert(fc.property(spoilt(T4, T4, H100), holds(judge, sound)), RUNS)
  })

  test('memory', { timeout: 120_000 }, () => {
    const judge = bySmi((log) => judgeMemory(log, { check: 'gpu-memory', ecc: 'on', ...limits }))
    const sound = inside((text) => {
      const counters = all(text, /<volatile>([^]*?)<\/volatile>/g).map((own) =>
        all(own, /uncorrectable\w*>([^<]*)</g),
      )
      const flags = all(text, /(?:row_pending|row_failure|_retirement)>\s*(\w[^<\n]*?)\s*</g)
      return (
        counters.length >= gpus(text) &&
        counters.every((own) => own.some((said) => said.trim() === '0')) &&
        counters.flat().every((said) => !/[1-9]|lost|reset/.test(said)) &&
        flags.every((said) => /^\[?(No|N\/A)\]?$/.test(said))
      )
    })
    fc.assert(fc.property(spoilt(T4, T4, H100), holds(judge, sound)), RUNS)
  })

  test('links', { timeout: 120_000 }, () => {
    const judge = bySmi((log) =>
      judgeLink(
        log,
        { check: 'gpu-link', minWidth: 8, minGeneration: 3, minNvlinks: 0, ...limits },
        true,
      ),
    )
    const sound = inside((text) => {
      const widths = all(text, /<current_link_width>\s*(\d+)\s*x/g).map(Number)
      const generations = all(text, /<current_link_gen>\s*(\d+)/g).map(Number)
      return (
        widths.filter((own) => own >= 8).length >= gpus(text) &&
        generations.filter((own) => own >= 3).length >= gpus(text)
      )
    })
    fc.assert(fc.property(spoilt(H100), holds(judge, sound)), RUNS)
  })

  test('heat', { timeout: 120_000 }, () => {
    const judge = bySmi((log) => judgeHeat(log, { check: 'gpu-heat', maxCelsius: 85, ...limits }))
    const sound = inside((text) => {
      const degrees = all(text, /<gpu_temp>\s*(-?\d+)/g).map(Number)
      return (
        degrees.filter((own) => own <= 85).length >= gpus(text) &&
        count(text, /reason_hw_\w*slowdown>\s*(Not Active)\s*</g) >= 3 * gpus(text)
      )
    })
    fc.assert(fc.property(spoilt(T4, T4, H100), holds(judge, sound)), RUNS)
  })

  test('nvlink', { timeout: 120_000 }, () => {
    const sound = (text: string): boolean =>
      !/inactive/i.test(text) &&
      count(text, /Link (\d+): [\d.]+ GB\/s/g) >= 18 * Math.max(1, count(text, /^GPU (\d+):/gm))
    const judge = (text: string): Finding => judgeNvlink(text, 18)
    fc.assert(fc.property(spoilt(capture('nvlink-h100.txt')), holds(judge, sound)), RUNS)
  })
})

test('the kernel’s log: XIDs, and all else', { timeout: 120_000 }, () => {
  const log = capture('kernel-xid.txt')
  const noFatal = (text: string): boolean =>
    messagesOf(text).every((own) => !/^[^(]*NVRM: Xid \(PCI:[0-9a-f:]+\): (79|48|74),/.test(own))
  const noFault = (text: string): boolean =>
    !text.split('\n').some((own) => /^(?:\d+,\d+,\d+,[^;]*;)?EDAC MC0: 1 UE\b/.test(own))
  fc.assert(
    fc.property(spoilt(log), (text) => {
      holds((own) => judgeXids(messagesOf(own)), noFatal)(text)
      holds((own) => judgeKernelLog(messagesOf(own)), noFault)(text)
    }),
    RUNS,
  )
})

test('dcgmi diag', { timeout: 120_000 }, () => {
  const texts = ['dcgm-4.4-level2.json', 'dcgm-3.1-level2.json'].map(capture)
  const sound = (text: string): boolean => {
    const statuses = all(text, /"status"\s*:\s*"(\w+)"/g).map((own) => own.toLowerCase())
    return statuses.includes('pass') && !statuses.includes('fail')
  }
  const judge = (text: string): Finding => judgeDcgm(text, 2)
  fc.assert(fc.property(spoilt(...texts), holds(judge, sound)), RUNS)
})

test("the last line of a user's own command", { timeout: 120_000 }, () => {
  const line =
    '{"verdict":"PASS","measures":{"gbPerSecond":180},"limits":{"gbPerSecond":{"min":150}}}'
  const sound = (text: string): boolean => {
    const last = text.trimEnd().split('\n').at(-1)?.trim() ?? ''
    return !last.startsWith('{') || !/FAIL|WARN|INFRA|UNKNOWN/.test(last)
  }
  const judge = (stdout: string): Finding =>
    judgeCommand({ code: 0, stdout, stderr: '', isLate: false })
  fc.assert(fc.property(spoilt(line, `warming up\n${line}\n`), holds(judge, sound)), RUNS)
})
