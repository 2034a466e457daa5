import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRegistries } from '#agent/adapters/docker/registry.ts'
import { CREDENTIALS, describeOn } from './on-engine.ts'

const NAMES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const
const before = NAMES.map((name) => [name, process.env[name]] as const)

describeOn('moto', (endpoint) => {
  beforeEach(() => {
    process.env['AWS_ACCESS_KEY_ID'] = CREDENTIALS.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = CREDENTIALS.secretAccessKey
  })
  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  test('ECR lets the node in, and nobody else is asked for credentials', async () => {
    const credentialsFor = openRegistries(endpoint)
    const host = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
    const credentials = await credentialsFor(host)
    expect(credentials?.username).toBe('AWS')
    expect(credentials?.password).not.toBe('')
    expect(await credentialsFor('public.ecr.aws')).toBeUndefined()
    expect(await credentialsFor('docker.io')).toBeUndefined()
  })

  test('a registry that gives no token is told by name', async () => {
    const away = openRegistries('http://127.0.0.1:9')
    const asked = away('123456789012.dkr.ecr.eu-west-1.amazonaws.com')
    await expect(asked).rejects.toThrow('ECR in eu-west-1 gives no token')
  })
})
