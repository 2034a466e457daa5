/**
 * From the list of commands to a command line: parsing, help, and the exit code.
 *
 * commander does the parsing; what it complains of is told in the same voice as everything else,
 * and is exit 2. The two-word commands (`node drain`) get their first word from the list as well.
 */
import { Command as Parser, CommanderError, Option as ParserOption } from 'commander'
import { Input, type Argument, type Command, type Context, type Option } from './command.ts'
import { EXIT, exitCodeOf, linesOf, problemOf, UsageError } from './errors.ts'
import { harmless, paintFor } from './render/paint.ts'
import type { World } from './world.ts'

export type ProgramOptions = {
  readonly commands: readonly Command[]
  readonly version: string
  readonly makeContext: (world: World, globals: Globals) => Context
}

export type Globals = { readonly url: string | undefined; readonly json: boolean }

/** Runs one command line, without the program's own name in it; never throws. */
export async function runProgram(
  argv: readonly string[],
  world: World,
  options: ProgramOptions,
): Promise<number> {
  try {
    const { parser, chosen } = buildParser(world, options)
    await parser.parseAsync(argv, { from: 'user' })
    await chosen()
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done
    // Half a command (`drover node`) has been answered with its help.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.misused
    const shown = error instanceof CommanderError ? misuse(error, argv, options.commands) : error
    report(shown, { world, json: wantsJson(argv) })
    return exitCodeOf(shown)
  }
}

type Built = { readonly parser: Parser; readonly chosen: () => Promise<void> }

function buildParser(world: World, options: ProgramOptions): Built {
  let chosen: (() => Promise<void>) | undefined
  const parser = root(world, options)
  for (const command of options.commands) {
    const leaf = leafOf(parser, command)
    for (const argument of command.arguments ?? [])
      leaf.argument(syntaxOf(argument), argument.summary)
    for (const option of command.options ?? []) leaf.addOption(optionOf(option))
    leaf.addHelpText('after', () => `\n${examplesText(command.examples)}`)
    leaf.action((...given: readonly unknown[]) => {
      const input = inputOf(command, { given, leaf })
      const globals = globalsOf(parser)
      chosen = () => command.run(options.makeContext(world, globals), input)
    })
  }
  return {
    parser,
    chosen: async () => {
      if (chosen === undefined) throw new UsageError('nothing to do', 'drover --help')
      await chosen()
    },
  }
}

function root(world: World, { version, commands }: ProgramOptions): Parser {
  const parser = new Parser('drover')
    .description('Say what should run; drover keeps it running on the cheapest herd.')
    .usage('[options] <command>')
    .version(`drover ${version}`, '-V, --version', 'say which drover this is')
    .option('--json', "print exactly the API's JSON, and errors as problem documents")
    .option('--url <url>', 'where drover is (DROVER_URL, else http://127.0.0.1:8787)')
    .addOption(new ParserOption('-o, --output <format>', 'how to print').choices(['text', 'json']))
    .helpOption('-h, --help', 'say how to use this')
    .configureHelp({ showGlobalOptions: true, helpWidth: helpWidth(world) })
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      writeErr: (text) => world.err.write(text),
      // What went wrong is told once, by `report`.
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
  parser.addHelpCommand(
    new Parser('help')
      .argument('[command]', 'the command, or the first word of one')
      .description('say how to use a command')
      .helpGroup('Look:'),
  )
  const examples = FIRST_COMMANDS.map((name) => commands.find((own) => own.name === name))
  parser.addHelpText(
    'after',
    () => `\n${examplesText(examples.flatMap((own) => own?.examples.slice(0, 1) ?? []))}`,
  )
  return parser
}

/** What a first session goes through. */
const FIRST_COMMANDS = ['apply', 'get', 'wait', 'describe', 'explain', 'events']
const HELP_COLUMNS_MAX = 90

const helpWidth = (world: World): number =>
  world.out.isTty ? Math.min(world.out.columns, HELP_COLUMNS_MAX) : HELP_COLUMNS_MAX

function examplesText(examples: readonly string[]): string {
  return ['Examples:', ...examples.map((example) => `  ${example}`)].join('\n')
}

/** The parser of a command; its first word becomes a parser of its own when there are two. */
function leafOf(parser: Parser, command: Command): Parser {
  const words = command.name.split(' ')
  const last = words.at(-1) ?? command.name
  const parent = words.length === 1 ? parser : groupOf(parser, { word: words[0] ?? '', command })
  const leaf = parent.command(last).summary(command.summary).description(command.summary)
  return words.length === 1 ? leaf.helpGroup(`${command.group}:`) : leaf
}

function groupOf(
  parser: Parser,
  { word, command }: { readonly word: string; readonly command: Command },
): Parser {
  const known = parser.commands.find((own) => own.name() === word)
  if (known !== undefined) return known
  return parser
    .command(word)
    .description(GROUPS[word] ?? '')
    .helpCommand(false)
    .helpGroup(`${command.group}:`)
}

const GROUPS: Readonly<Record<string, string>> = {
  node: 'cordon, uncordon, drain, retest or terminate a node',
  metric: 'push what a metric is now, to scale a workload by',
  rollout: 'status, history, pause, resume or undo of a roll-out',
  repack: 'what is emptied to save money, and why',
  'burn-in': 'what became of machines that were tested',
  hardware: 'what is known of a GPU; let one that failed be tested again',
  pool: 'release a brake',
  sweep: 'allow a sweep',
}

function syntaxOf({ name, optional, many }: Argument): string {
  const text = many === true ? `${name}...` : name
  return optional === true ? `[${text}]` : `<${text}>`
}

function optionOf(option: Option): ParserOption {
  const own = new ParserOption(option.flags, option.summary)
  if (option.required === true) own.makeOptionMandatory()
  const parse = option.parse ?? ((text: string): unknown => text)
  const long = option.flags.replace(/ <.*$/, '').split(', ').at(-1) ?? option.flags
  if (option.flags.includes('<')) {
    own.argParser((text: string, before: unknown) => {
      const value = parse(text, long)
      return option.many === true ? [...(Array.isArray(before) ? before : []), value] : value
    })
  }
  return own
}

function inputOf(
  command: Command,
  { given, leaf }: { readonly given: readonly unknown[]; readonly leaf: Parser },
): Input {
  const names = (command.arguments ?? []).map(({ name }) => name)
  return new Input(
    Object.fromEntries(names.map((name, index) => [name, given[index]])),
    leaf.opts(),
  )
}

function globalsOf(parser: Parser): Globals {
  const { json, output, url } = parser.opts<{ json?: true; output?: string; url?: string }>()
  return { url, json: json === true || output === 'json' }
}

/** Asked when parsing failed, so that even misuse is told as JSON to whom wants JSON. */
function wantsJson(argv: readonly string[]): boolean {
  const line = ` ${argv.join(' ')} `
  return / --json | (-o|--output)[ =]?json /.test(line)
}

function misuse(
  error: CommanderError,
  argv: readonly string[],
  commands: readonly Command[],
): UsageError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const known = new Set(commands.flatMap(({ name }) => [name, name.split(' ')[0] ?? name]))
  const words = argv.filter((word) => !word.startsWith('-'))
  const typed = [words.slice(0, 2).join(' '), words[0] ?? ''].find((name) => known.has(name))
  const text = [first, ...rest].join(' ')
  return new UsageError(
    text,
    ['drover', ...(typed === undefined ? [] : [typed]), '--help'].join(' '),
  )
}

function report(
  error: unknown,
  { world, json }: { readonly world: World; readonly json: boolean },
): void {
  if (json) {
    world.err.write(`${JSON.stringify(problemOf(error), undefined, 2)}\n`)
    return
  }
  const paint = paintFor(world.env, world.err.isTty)
  for (const line of linesOf(error)) {
    const painted = line.startsWith('error:') ? paint('error:', 'red') + line.slice(6) : line
    world.err.write(`${harmless(painted)}\n`)
  }
}
