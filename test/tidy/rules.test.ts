import { describe, expect, it } from 'vitest'
import { bannedCallFaults } from './rules/banned-calls.ts'
import {
  anyFaults,
  barrelFaults,
  defaultExportFaults,
  enumFaults,
  fileNameFaults,
  openingFaults,
} from './rules/forms.ts'
import { importFaults } from './rules/imports.ts'
import { narrowedTestFaults, noteFaults, privatePathFaults } from './rules/leftovers.ts'
import { fileLengthFaults, lineLengthFaults } from './rules/lengths.ts'
import { unusedFileFaults } from './rules/unused.ts'
import { describeFault, type Rule } from './source.ts'

/** What the rule says of a file, without the file's own path. */
function said(rule: Rule, path: string, text: string): readonly string[] {
  return rule({ path, text }).map((own) => describeFault(own).replace(`${path}:`, ''))
}

const imports = (path: string, ...specifiers: readonly string[]): readonly string[] =>
  said(importFaults, path, specifiers.map((own) => `import { x } from '${own}'`).join('\n'))

const calls = (path: string, text: string): readonly string[] => said(bannedCallFaults, path, text)

describe('imports', () => {
  it('may point down the layers of shared/, and beside', () => {
    expect(imports('shared/store/a.ts', '#shared/cloud/b.ts', '../base/c.ts', './d.ts')).toEqual([])
    expect(imports('shared/planner/a.ts', '../catalog/b.ts', 'zod', 'node:crypto')).toEqual([])
  })

  it('may not point up', () => {
    expect(imports('shared/planner/a.ts', '#shared/store/b.ts', '../cloud/c.ts')).toEqual([
      '1: imports #shared/store/b.ts; shared/planner may import catalog, model, base',
      '2: imports ../cloud/c.ts; shared/planner may import catalog, model, base',
    ])
    expect(imports('shared/controllers/a.ts', '../solver/highs.ts')).toHaveLength(1)
  })

  it('may not bring a package or the outside into a pure layer', () => {
    expect(imports('shared/model/a.ts', 'hono', 'node:fs')).toEqual([
      '1: imports hono; a pure layer uses only zod and node:crypto',
      '2: imports node:fs; a pure layer uses only zod and node:crypto',
    ])
  })

  it('may name the AWS SDK in adapters, infra/, local/, test/ and bench/ alone', () => {
    const sdk = '@aws-sdk/client-ec2'
    const fault = `1: imports ${sdk}; take a port as an argument; the AWS SDK belongs in adapters`
    for (const path of ['shared/cloud/a.ts', 'functions/a.ts', 'agent/a.ts', 'cli/a.ts']) {
      expect(imports(path, sdk), path).toEqual([fault])
    }
    for (const path of [
      'shared/cloud/aws/a.ts',
      'shared/store/aws/a.ts',
      'agent/adapters/a.ts',
      'cli/adapters/a.ts',
      'infra/a.ts',
      'local/a.ts',
      'test/a.ts',
      'bench/a.ts',
    ]) {
      expect(imports(path, sdk), path).toEqual([])
    }
  })

  it('may bind adapters in functions and local alone', () => {
    const adapter = '#shared/store/aws/dynamo-store.ts'
    expect(imports('functions/a.ts', adapter)).toEqual([])
    for (const path of ['shared/controllers/a.ts', 'cli/simulate/a.ts']) {
      expect(imports(path, adapter), path).toEqual([
        `1: imports ${adapter}; take a port as an argument; functions and local bind the adapters`,
      ])
    }
  })

  it('keep agent, cli and console to protocol, model and base', () => {
    const allowed = ['#shared/protocol/a.ts', '#shared/model/b.ts', '#shared/base/c.ts']
    for (const top of ['agent', 'cli', 'console']) {
      expect(imports(`${top}/a.ts`, ...allowed), top).toEqual([])
      expect(imports(`${top}/a.ts`, '#shared/planner/plan.ts'), top).toEqual([
        `1: imports #shared/planner/plan.ts; ` +
          `${top}/ may import ${top}, shared/protocol, shared/model, shared/base`,
      ])
    }
    expect(imports('cli/simulate/a.ts', '#shared/planner/plan.ts')).toEqual([])
    expect(imports('test/simulation/run.ts', '#shared/planner/plan.ts')).toEqual([])
    const auditor = 'test/simulation/auditor/a.ts'
    expect(imports(auditor, '#shared/planner/plan.ts')).toHaveLength(1)
    expect(imports(auditor, '#shared/model/node.ts')).toEqual([])
  })

  it('keep functions from local, cli and agent, and everything from test', () => {
    for (const path of ['#local/a.ts', '#cli/a.ts', '#agent/a.ts', '#test/a.ts']) {
      expect(imports('functions/a.ts', path), path).toEqual([
        `1: imports ${path}; functions/ may import functions, shared`,
      ])
    }
    expect(imports('local/a.ts', '#functions/a.ts', '#agent/a.ts', '#cli/a.ts')).toEqual([])
    expect(imports('local/a.ts', '#test/a.ts')).toHaveLength(1)
  })

  it('go by subpath between top-level folders, whatever their form', () => {
    expect(imports('local/a.ts', '../shared/base/b.ts')).toEqual([
      '1: imports ../shared/base/b.ts; write #shared/base/b.ts',
    ])
    const forms = [
      "export { x } from '../agent/a.ts'",
      "import type { X } from '../agent/a.ts'",
      "const x = await import('../agent/a.ts')",
      "let x: import('../agent/a.ts').X",
    ]
    for (const form of forms) expect(said(importFaults, 'local/a.ts', form), form).toHaveLength(1)
  })

  it('may name a file at the root', () => {
    expect(imports('cli/main.ts', '../package.json')).toEqual([])
  })

  it('name built-in modules by their prefix', () => {
    expect(imports('local/a.ts', 'fs')).toEqual(['1: imports fs; write node:fs'])
  })

  it('are not found in comments and strings', () => {
    const text = "// import { x } from '#store/a.ts'\nconst a = \"import x from '../../cli/b.ts'\""
    expect(said(importFaults, 'shared/model/a.ts', text)).toEqual([])
  })
})

describe('banned calls', () => {
  it('name the replacement', () => {
    expect(calls('shared/store/a.ts', 'const now = Date.now()')).toEqual([
      '1: Date.now; take a Clock (shared/cloud/clock.ts), or the time itself',
    ])
    expect(calls('agent/a.ts', 'const a = 1\nnames.sort((x, y) => x.localeCompare(y))')).toEqual([
      '2: x.localeCompare; use byText (shared/base/order.ts)',
    ])
  })

  it.each([
    'Date.now()',
    'globalThis.Date.now()',
    'new Date()',
    'new Date',
    'performance.now()',
    'Math.random()',
    'randomUUID()',
    'crypto.randomUUID()',
    'crypto.subtle.digest(a, b)',
    'webcrypto.subtle.digest(a, b)',
    'Date()',
    'process.hrtime.bigint()',
    'AbortSignal.timeout(5)',
    'randomBytes(8)',
    'crypto.getRandomValues(bytes)',
    'count.toLocaleString()',
    'setTimeout(f, 1)',
    'globalThis.setTimeout(f, 1)',
    'later(setInterval)',
    'setImmediate(f)',
    "import('node:timers/promises')",
    'process.env.HOME',
    "process.env['HOME']",
  ])('include %s', (text) => {
    expect(calls('shared/controllers/a.ts', text)).toHaveLength(1)
    expect(calls('agent/a.ts', text)).toHaveLength(1)
  })

  it.each([
    'new Date(atMs)',
    'clock.now()',
    '// Date.now() is banned here',
    "const text = 'setTimeout'",
    'type Timers = { setTimeout: (ms: number) => void }',
    'timers.setTimeout(5)',
    'async function load(): Promise<void> { await store.scan() }',
    "process.on('exit', f)",
  ])('do not include %s', (text) => {
    expect(calls('shared/controllers/a.ts', text)).toEqual([])
  })

  it('are where time comes from in adapters, and everywhere outside shared/ and agent/', () => {
    for (const path of [
      'shared/cloud/aws/system-clock.ts',
      'agent/adapters/clock.ts',
      'agent/main.ts',
      'local/a.ts',
      'test/a.ts',
    ]) {
      expect(calls(path, 'setTimeout(f, Date.now())'), path).toEqual([])
    }
  })

  it.each(['async () => 1', 'await x', 'let a: Promise<void>', 'console.log(1)', 'process.exit()'])(
    'include %s in the model and the planner',
    (text) => {
      expect(calls('shared/planner/a.ts', text)).toHaveLength(1)
      expect(calls('shared/model/a.ts', text)).toHaveLength(1)
      expect(calls('shared/controllers/a.ts', text)).toEqual([])
    },
  )
})

describe('lengths', () => {
  const columns = (count: number): string => `// ${'x'.repeat(count - 3)}`

  it('let a line be 100 columns long', () => {
    expect(said(lineLengthFaults, 'cli/a.ts', columns(100))).toEqual([])
    expect(said(lineLengthFaults, 'cli/a.ts', `\n${columns(101)}`)).toEqual([
      '2: 101 columns; fold it to 100',
    ])
  })

  it('let addresses and other files be', () => {
    expect(said(lineLengthFaults, 'cli/a.ts', `${columns(101)} https://example.com`)).toEqual([])
    expect(said(lineLengthFaults, 'openapi.json', columns(101))).toEqual([])
  })

  it('let a file be 500 lines long', () => {
    expect(said(fileLengthFaults, 'cli/a.ts', 'f()\n'.repeat(500))).toEqual([])
    expect(said(fileLengthFaults, 'cli/a.ts', 'f()\n'.repeat(501))).toEqual([
      '501: 501 lines; split it: 500 at most',
    ])
  })
})

describe('forms', () => {
  it('are exported by name, but in configuration', () => {
    for (const text of ['export default 1', 'export default function f() {}']) {
      expect(said(defaultExportFaults, 'cli/a.ts', text)).toEqual([
        '1: default export; export it by name',
      ])
      expect(said(defaultExportFaults, 'vitest.config.ts', text)).toEqual([])
    }
    const good = "import x from 'y'\nexport const a = 1\nswitch (a) { default: }"
    expect(said(defaultExportFaults, 'cli/a.ts', good)).toEqual([])
  })

  it('have no enum', () => {
    expect(said(enumFaults, 'cli/a.ts', '\nenum Color { red }')).toEqual([
      '2: enum Color; write a union of strings',
    ])
    expect(said(enumFaults, 'cli/a.ts', "type Color = 'red'; z.enum(['red'])")).toEqual([])
  })

  it('have no any', () => {
    for (const text of ['let a: any', 'f(x as any)', 'let a: Record<string, any[]>']) {
      expect(said(anyFaults, 'cli/a.ts', text), text).toHaveLength(1)
    }
    expect(said(anyFaults, 'cli/a.ts', '// any\nlet any: unknown = Promise.any(a)')).toEqual([])
  })

  it('have no barrel', () => {
    expect(
      said(barrelFaults, 'cli/a.ts', "export * from './b.ts'\nexport * from './c.ts'"),
    ).toEqual([
      '1: a barrel, only re-exports; import from the files themselves and delete this one',
    ])
    const good = "export { a } from './a.ts'\nexport const b = 1"
    expect(said(barrelFaults, 'cli/a.ts', good)).toEqual([])
    expect(said(barrelFaults, 'cli/a.ts', '/** Nothing yet. */')).toEqual([])
  })

  it('live in files named after nouns, in kebab-case', () => {
    for (const path of ['cli/table.ts', 'test/cli/table.test.ts', 'vitest.config.ts']) {
      expect(said(fileNameFaults, path, ''), path).toEqual([])
    }
    expect(said(fileNameFaults, 'cli/utils.ts', '')).toEqual([
      '1: named utils.ts; name it after the noun that it is about',
    ])
    expect(said(fileNameFaults, 'cli/bigTable.ts', '')).toEqual([
      '1: named bigTable.ts; name it in kebab-case',
    ])
  })

  it('open with a paragraph, after the shebang', () => {
    const paragraph = '/**\n * Says what problem lives here, and why it is solved so.\n */\nf()'
    expect(said(openingFaults, 'cli/a.ts', paragraph)).toEqual([])
    expect(said(openingFaults, 'cli/a.ts', `#!/usr/bin/env node\n${paragraph}`)).toEqual([])
    expect(said(openingFaults, 'test/cli/a.test.ts', 'f()')).toEqual([])
    for (const text of ['f()', '// a comment\nf()', '/** Short. */\nf()', `f()\n${paragraph}`]) {
      expect(said(openingFaults, 'cli/a.ts', text), text).toEqual([
        '1: no opening paragraph; say in /** … */ what problem lives here and why it is solved so',
      ])
    }
  })
})

describe('leftovers', () => {
  // The words stand in pieces here: the rules look at this file too.
  const note = ['TO', 'DO'].join('')

  it('are notes to oneself, in any file', () => {
    for (const word of [note, ['FIX', 'ME'].join(''), ['X', 'XX'].join('')]) {
      expect(said(noteFaults, 'README.md', `a\n// ${word}: later`), word).toEqual([
        `2: ${word}; do it now, or open an issue and say what holds today`,
      ])
    }
    expect(said(noteFaults, 'cli/a.ts', `const ${note}s = 'a todo list'`)).toEqual([])
  })

  it('are paths of one machine', () => {
    for (const path of [
      ['wo', 'rk/x'],
      ['tmp/br', 'ief'],
      ['ro', 'ot/.npm'],
    ]) {
      const text = `see '/${path.join('')}'`
      expect(said(privatePathFaults, 'README.md', text), text).toHaveLength(1)
    }
    for (const text of ['a/work/b', '/workload/', 'net/root.ts', '/rootVolumeGiB', '/tmp/x']) {
      expect(said(privatePathFaults, 'README.md', text), text).toEqual([])
    }
  })

  it('are narrowed tests', () => {
    const rule = (text: string): readonly string[] =>
      said(narrowedTestFaults, 'test/a.test.ts', text)
    expect(rule("it.only('a', f)")).toEqual(['1: .only(; run all tests'])
    expect(rule("it.todo('a')")).toEqual(['1: .todo(; write the test'])
    expect(rule("describe.skip('a', f)")).toHaveLength(1)
    expect(rule('context.skip()')).toHaveLength(1)
    expect(rule("it.skip('moves (skipped: the engine has one shard)', f)")).toEqual([])
    expect(rule("context.skip('the engine has one shard')")).toEqual([])
    expect(rule("pick.only('name')")).toEqual([])
  })
})

describe('unused files', () => {
  const manifest = { path: 'package.json', text: '{"scripts": {"demo": "node local/demo.ts"}}' }

  it('are those that nothing imports and nobody starts', () => {
    const sources = [
      manifest,
      {
        path: 'local/main.ts',
        text: "import './used.ts'\nimport type { A } from '#shared/base/a.ts'",
      },
      { path: 'local/used.ts', text: '' },
      { path: 'local/demo.ts', text: '' },
      { path: 'local/dead.ts', text: '' },
      { path: 'shared/base/a.ts', text: '' },
      { path: 'functions/wake.ts', text: '' },
      { path: 'test/a.test.ts', text: "import './world.ts'" },
      { path: 'test/world.ts', text: '' },
      { path: 'test/forgotten.ts', text: '' },
    ]
    expect(unusedFileFaults(sources).map((own) => own.path)).toEqual([
      'local/dead.ts',
      'test/forgotten.ts',
    ])
  })
})
