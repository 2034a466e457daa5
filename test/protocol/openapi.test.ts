import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { NOUNS } from '#shared/model/names.ts'
import { buildOpenApi } from '#shared/protocol/openapi.ts'
import { referenceRows } from '#shared/protocol/reference.ts'
import { generatedFiles } from '#shared/protocol/write-openapi.ts'

const root = new URL('../../', import.meta.url)

describe('the generated files', () => {
  it.each(Object.entries(generatedFiles()))('%s is current (npm run openapi)', (path, text) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(text)
  })
})

describe('the OpenAPI document', () => {
  const document = buildOpenApi('0.1.0')
  const text = JSON.stringify(document)

  it('refers to nothing that is not there', () => {
    const references = new Set([...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path))
    expect(references.size).toBeGreaterThan(30)
    for (const path of references) {
      let found: unknown = document
      for (const part of String(path).split('/')) {
        found = (found as Record<string, unknown> | undefined)?.[part]
      }
      expect([path, typeof found]).toEqual([path, 'object'])
    }
  })

  it('refuses unknown fields of documents and allows them in answers', () => {
    const { schemas } = document['components'] as { schemas: Record<string, object> }
    expect(schemas['WorkloadDocument']).toMatchObject({
      additionalProperties: false,
      properties: { kind: { const: 'Workload' }, replicas: { type: 'integer' } },
    })
    expect(schemas['Node']).not.toHaveProperty('additionalProperties')
  })

  it('leaves out bounds that every integer has', () => {
    expect(text).not.toContain(String(Number.MAX_SAFE_INTEGER))
  })
})

describe('the reference', () => {
  it.each(NOUNS)('says what every field of a %s means', (noun) => {
    const silent = referenceRows(noun).filter((row) => row.meaning === '')
    expect(silent.map((row) => row.field)).toEqual([])
  })
})
