/* eslint no-console: off */
/**
 * A small service that serves data: `/` answers with what stands in `recommendations.json`,
 * `/healthz` is for the health check.
 *
 * It reads its data once, at its start: drover starts it only where all of it is there, and a new
 * version of the data is a new replica.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const port = Number(process.env.PORT_HTTP ?? process.env.PORT ?? 8080)
const file = join(process.env.DROVER_DATA ?? '.', 'recommendations.json')
const recommendations = JSON.parse(readFileSync(file, 'utf8'))
const who = process.env.DROVER_REPLICA_ID ?? 'none'

const server = createServer((request, response) => {
  if (request.url === '/healthz') {
    response.end('ok\n')
    return
  }
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ who, recommendations })}\n`)
})

server.listen(port, () => console.log(`${who} serves ${file} on port ${port}`))

process.once('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
