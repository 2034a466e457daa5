/**
 * A process that fetches one version of data and says so, for tests that kill it meanwhile:
 * `node data-fetcher.ts DIRECTORY DATA`.
 */
import { silentLogger } from '#shared/base/log.ts'
import { dataKey, dataSchema } from '#shared/model/data.ts'
import { openDataCache } from '#agent/adapters/data/cache.ts'

const [directory = '', text = ''] = process.argv.slice(2)
const data = dataSchema.parse(JSON.parse(text))
const cache = openDataCache({
  ...{
    directory,
    allowFiles: false,
    maxPercent: 100,
    fullPercent: 100,
    s3: { region: 'us-east-1' },
  },
  log: silentLogger,
})
process.stdout.write('begins\n')
const result = await cache.fetch({ key: dataKey(data), data }, () => undefined)
process.stdout.write(`${Object.keys(result).join('')} ${JSON.stringify(result)}\n`)
cache.close()
