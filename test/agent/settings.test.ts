import { describe, expect, it } from 'vitest'
import { readSettings } from '#agent/settings.ts'

const read = (extra: Record<string, string> = {}): ReturnType<typeof readSettings> =>
  readSettings({ DROVER_TABLE: 'drover', ...extra })

describe('the environment', () => {
  it('needs nothing but the table’s name', () => {
    expect(read()).toEqual({
      table: 'drover',
      directory: '/var/lib/drover',
      metadataUrl: 'http://169.254.169.254',
      metadataPollMs: 5_000,
      headPollMs: 2_000,
      diskMib: Number.MAX_SAFE_INTEGER,
      dockerSocket: '/var/run/docker.sock',
      kernelLog: '/dev/kmsg',
      healthLookMs: 60_000,
      diskFullPercent: 95,
      dataDirectory: '/var/lib/drover/data',
      dataMaxPercent: 80,
      imagesMaxPercent: 70,
      dataFiles: false,
      faults: [],
      logLevel: 'info',
    })
  })

  it('says the rest where it is set', () => {
    const faults = [{ check: 'cpu', rate: 0.5 }]
    expect(
      read({
        DROVER_METADATA_URL: 'http://127.0.0.1:9/i-1/',
        DROVER_POWER_OFF_AFTER_SECONDS: '120',
        DROVER_HEAD_POLL_MS: '200',
        DROVER_AGENT_DIR: '/srv/agent',
        DROVER_DATA_MAX_PERCENT: '60',
        DROVER_DATA_FILES: 'true',
        AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000',
        DROVER_FAULTY_CHECKS: JSON.stringify(faults),
      }),
    ).toMatchObject({
      metadataUrl: 'http://127.0.0.1:9/i-1',
      powerOffAfterMs: 120_000,
      headPollMs: 200,
      dataDirectory: '/srv/agent/data',
      dataMaxPercent: 60,
      dataFiles: true,
      s3Endpoint: 'http://127.0.0.1:9000',
      faults: [{ check: 'cpu', rate: 0.5, intermittent: false }],
    })
  })

  it.each([
    ['DROVER_TABLE', ''],
    ['DROVER_METADATA_URL', 'not a url'],
    ['DROVER_METADATA_POLL_MS', '1.5'],
    ['DROVER_HEAD_POLL_MS', '0'],
    ['DROVER_CHECK_DISK_MIB', 'much'],
    ['DROVER_FAULTY_CHECKS', '[{"check":"gpu"}]'],
    ['DROVER_FAULTY_CHECKS', '{'],
    ['DROVER_LOG_LEVEL', 'loud'],
  ])('refuses %s=%s and names it', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(name)
  })
})
