import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '#cli/registry.ts'
import { drover } from './kit.ts'

const NOWHERE = 'http://127.0.0.1:9'
const run = (line: string): Promise<string> => drover(line === '' ? [] : line.split(' '), NOWHERE)

describe('help', () => {
  it('lists every command by what one wants to do', async () => {
    await expect(await run('--help')).toMatchFileSnapshot('./golden/help.txt')
  })

  it('is there for every command, with an example that begins with its name', async () => {
    for (const command of COMMANDS) {
      const text = await drover([...command.name.split(' '), '--help'], NOWHERE)
      expect(text, command.name).toMatch(/Examples:[^]*\[exit 0\]$/)
      expect(command.examples.some((own) => own.includes(`drover ${command.name}`))).toBe(true)
    }
    expect(await run('help node')).toMatch(/cordon <name>[^]*\[exit 0\]$/)
  })

  it('of one command', async () => {
    expect(await run('node drain --help')).toMatchInlineSnapshot(`
      "Usage: drover node drain [options] <name>

      move the replicas of a node elsewhere, replacement first, then give the node up

      Arguments:
        name                   the node

      Options:
        --deadline <duration>  replicas are stopped after it in any case (15m)
        -h, --help             say how to use this

      Global Options:
        -V, --version          say which drover this is
        --json                 print exactly the API's JSON, and errors as problem documents
        --url <url>            where drover is (DROVER_URL, else http://127.0.0.1:8787)
        -o, --output <format>  how to print (choices: "text", "json")

      Examples:
        drover node drain general-4-1
        drover node drain general-4-1 --deadline 15m
      [exit 0]"
    `)
  })
})

describe('misuse', () => {
  it('is told with what was meant, and exits 2', async () => {
    expect(await run('aply')).toMatchInlineSnapshot(`
      "! error: unknown command 'aply' (Did you mean apply?)
      ! next: drover --help
      [exit 2]"
    `)
    expect(await run('get')).toMatchInlineSnapshot(`
      "! error: missing required argument 'kind'
      ! next: drover get --help
      [exit 2]"
    `)
    expect(await run('get nodes --wide')).toMatchInlineSnapshot(`
      "! error: unknown option '--wide' (Did you mean --node?)
      ! next: drover get --help
      [exit 2]"
    `)
    expect(await run('get nodes a b')).toMatchInlineSnapshot(`
      "! error: too many arguments for 'get'. Expected 2 arguments but got 3: nodes, a, b.
      ! next: drover get --help
      [exit 2]"
    `)
    expect(await run('node drian x')).toMatchInlineSnapshot(`
      "! error: unknown command 'drian' (Did you mean drain?)
      ! next: drover node --help
      [exit 2]"
    `)
    await expect(await run('get nodes -o yaml')).toMatchFileSnapshot(
      './golden/get-nodes-o-yaml.txt',
    )
    expect(await run('get nodes --url ftp://x')).toMatchInlineSnapshot(`
      "! error: "ftp://x" is no http or https URL
      ! next: set DROVER_URL, or give --url
      [exit 2]"
    `)
    expect(await run('get nodes --url http://me:secret@x')).toMatchInlineSnapshot(`
      "! error: the URL of drover holds a user or a password
      ! next: leave them out: on AWS drover signs its requests with your credentials
      [exit 2]"
    `)
    expect(await run('get --json')).toMatchInlineSnapshot(`
      "! {
      !   "type": "about:blank",
      !   "title": "missing required argument 'kind'",
      !   "code": "Misused",
      !   "detail": "missing required argument 'kind'; drover get --help"
      ! }
      [exit 2]"
    `)
  })

  it('half a command is answered with its help', async () => {
    expect(await run('node')).toMatch(/^! Usage: drover node[^]*\[exit 2\]$/)
    expect(await run('')).toMatch(/^! Usage: drover [^]*\[exit 2\]$/)
  })
})

describe('the executable', () => {
  it('runs as it is, and its exit code reaches the shell', async () => {
    const exec = promisify(execFile)
    expect(readFileSync('cli/main.ts', 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync('cli/main.ts').mode & 0o111).toBe(0o111)
    const { stdout } = await exec(process.execPath, ['cli/main.ts', '--version'], {
      timeout: 15_000,
    })
    expect(stdout).toMatch(/^drover \d+\.\d+\.\d+\n$/)
    const env = { ...process.env, DROVER_URL: NOWHERE, NO_COLOR: '1' }
    const failed = exec(process.execPath, ['cli/main.ts', 'scale', 'web', '1'], {
      env,
      timeout: 15_000,
    })
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('next: start one with npm start') as string,
    })
  })
})
