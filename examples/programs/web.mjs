/* eslint no-console: off */
/**
 * A small web service. `/` says which replica answers, `/healthz` is for the health check.
 *
 * On SIGTERM it first goes on serving for a moment, because whoever looked up its address just now
 * is still on the way; then it takes no new connections, finishes the open requests and exits.
 */
import { createServer } from 'node:http'

const port = Number(process.env.PORT_HTTP ?? process.env.PORT ?? 8080)
const lameDuckMs = Number(process.env.LAME_DUCK_MS ?? 1500)
const who = {
  replica: process.env.DROVER_REPLICA_ID ?? 'none',
  workload: process.env.DROVER_WORKLOAD ?? 'none',
  node: process.env.DROVER_NODE ?? 'none',
  version: process.env.DROVER_VERSION ?? 'none',
  greeting: process.env.GREETING ?? 'hello',
}
let stopping = false

const server = createServer((request, response) => {
  // While stopping, each answer is the last on its connection, so that clients move on.
  if (stopping) response.setHeader('connection', 'close')
  if (request.url === '/healthz') {
    response.end('ok\n')
  } else if (request.url === '/') {
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify(who)}\n`)
  } else {
    response.statusCode = 404
    response.end('not here\n')
  }
})

server.listen(port, () => console.log(`${who.replica} serves on port ${port}`))

process.once('SIGTERM', () => {
  stopping = true
  console.log(`${who.replica} stops: ${lameDuckMs} ms more, then the open requests`)
  setTimeout(() => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  }, lameDuckMs)
})
