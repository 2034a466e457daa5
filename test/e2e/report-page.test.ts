/**
 * The report of `drover simulate` in a real browser: every plot is drawn, whatever a trace's names
 * say, and nothing is fetched.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reportPage } from '#cli/simulate/report-page.ts'
import type { Chart } from '#cli/simulate/report.ts'

const NASTY = `</script><script>document.body.dataset.broken = 'yes'</script>`

function chart(title: string): Chart {
  return {
    ...{ title, text: 'a line & a gap', xLabel: 'hours', yLabel: 'USD', x: [0, 1, 2] },
    series: [
      { label: NASTY, values: [1, 2, 3] },
      { label: 'bound', values: [1, null, 2], isSparse: true },
    ],
  }
}

const run = promisify(execFile)

async function browser(): Promise<string | undefined> {
  for (const name of ['chromium', 'google-chrome']) {
    const found = await run(name, ['--version']).catch(() => undefined)
    if (found !== undefined) return name
  }
  return undefined
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'drover-report-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What the page has become once its scripts have run. */
async function dom(name: string, html: string): Promise<string> {
  const path = join(folder, 'report.html')
  await writeFile(path, html)
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
  const profile = `--user-data-dir=${join(folder, 'profile')}`
  return (await run(name, [...flags, profile, `file://${path}`])).stdout
}

describe('a report in a browser', () => {
  it('draws every plot, and takes names for nothing but text', async ({ skip }) => {
    const name = await browser()
    if (name === undefined) skip('there is no Chromium on the path')
    const charts = [chart('Cost'), chart(NASTY)]
    const page = await dom(
      name ?? '',
      reportPage({ title: NASTY, facts: [['Cost', NASTY]], charts }),
    )
    expect(page).toContain('data-drawn="2"')
    expect(page.match(/<canvas/g)).toHaveLength(2)
    expect(page).not.toContain('data-broken')
  })

  it('draws nothing where nothing is known, and says so nowhere as an error', async ({ skip }) => {
    const name = await browser()
    if (name === undefined) skip('there is no Chromium on the path')
    const empty: Chart = { ...chart('Until ready'), x: [], series: [{ label: 's', values: [] }] }
    const page = await dom(name ?? '', reportPage({ title: 'Nothing', facts: [], charts: [empty] }))
    expect(page).toContain('data-drawn="1"')
  })
})
