/**
 * A report as one HTML file that needs nothing else: data, styles and the plots' code are in it.
 *
 * The plots are uPlot's (MIT), which draws on a canvas, zooms where one drags and reads values
 * under the pointer. Names in a trace are somebody else's text, so all text is escaped, and the
 * page's policy forbids it to load anything.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Report } from './report.ts'

export function reportPage(report: Report): string {
  const { title, facts, charts } = report
  const { script, style } = uplot()
  const rows = facts.map(
    ([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`,
  )
  const figures = charts.map(
    ({ title: name, text }) =>
      `<figure><h2>${escaped(name)}</h2>` +
      `<figcaption>${escaped(text)}</figcaption><div></div></figure>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<table>${rows.join('')}</table>
<main>${figures.join('')}</main>
<noscript><p>The plots need JavaScript.</p></noscript>
<script type="application/json" id="charts">${inScript(JSON.stringify(charts))}</script>
<script>${script}</script>
<script>${DRAW}</script>
</body>
</html>
`
}

/** The library's code and styles, as it ships them. */
function uplot(): { readonly script: string; readonly style: string } {
  const folder = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.iife.min.js'))
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  return { script: read('uPlot.iife.min.js'), style: read('uPlot.min.css') }
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (own) => ENTITIES[own] ?? own)

/** No text can end the element that the data stands in. */
const inScript = (json: string): string => json.replaceAll('<', '\\u003c')

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; margin-bottom: 2rem; }
th { text-align: left; font-weight: 600; padding: 0.15rem 1.5rem 0.15rem 0; vertical-align: top; }
main { display: grid; gap: 2rem; }
@media (min-width: 72rem) { main { grid-template-columns: 1fr 1fr; } }
figure { margin: 0; }
h2 { font-size: 1.1rem; margin: 0; }
figcaption { opacity: 0.7; margin-bottom: 0.5rem; }
`

/** Runs in the page. */
const DRAW = `
const dark = matchMedia('(prefers-color-scheme: dark)').matches
const ink = dark ? '#ddd' : '#333'
const faint = dark ? '#444' : '#ddd'
const colours = ['#2f7ed8', '#d9822b', '#8a5cc2', '#999', '#2a9d6f']
const charts = JSON.parse(document.getElementById('charts').textContent)
const axis = (label) => ({ label, stroke: ink, grid: { stroke: faint }, ticks: { stroke: faint } })
const drawn = [...document.querySelectorAll('figure')].map((figure, i) => {
  const chart = charts[i]
  const place = figure.querySelector('div')
  const number = (u, value) => value == null ? '' : String(Math.round(value * 100) / 100)
  const options = {
    width: place.clientWidth,
    height: 260,
    scales: { x: { time: false } },
    axes: [axis(chart.xLabel), { ...axis(chart.yLabel), size: 70 }],
    series: [
      { label: chart.xLabel, value: number },
      ...chart.series.map((own, k) => ({
        label: own.label,
        stroke: colours[k % colours.length],
        width: 1.5,
        spanGaps: own.isSparse === true,
        value: number,
      })),
    ],
  }
  const data = [chart.x, ...chart.series.map((own) => own.values)]
  return [new uPlot(options, data, place), place]
})
addEventListener('resize', () => {
  for (const [plot, place] of drawn) plot.setSize({ width: place.clientWidth, height: 260 })
})
document.body.dataset.drawn = String(drawn.length)
`
