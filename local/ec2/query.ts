/**
 * EC2's Query protocol, read: `LaunchTemplateConfigs.1.Overrides.2.InstanceType=m7a.large` and so
 * on.
 *
 * Lists are numbered from 1 and names are joined by dots. A parameter nobody here knows is refused
 * by the action that gets it, so that a wrong name in drover's own calls cannot pass unnoticed.
 */
export class Query {
  readonly #values: ReadonlyMap<string, string>
  readonly #prefix: string

  constructor(values: ReadonlyMap<string, string>, prefix = '') {
    this.#values = values
    this.#prefix = prefix
  }

  static parse(body: string): Query {
    return new Query(new Map(new URLSearchParams(body)))
  }

  text(name: string): string | undefined {
    return this.#values.get(this.#prefix + name)
  }

  number(name: string): number | undefined {
    const text = this.text(name)
    return text === undefined ? undefined : Number(text)
  }

  /** `Name.1`, `Name.2`, … as texts. */
  texts(name: string): readonly string[] | undefined {
    const found: string[] = []
    for (let at = 1; ; at++) {
      const text = this.text(`${name}.${String(at)}`)
      if (text === undefined) return found.length === 0 ? undefined : found
      found.push(text)
    }
  }

  /** `Name.1.…`, `Name.2.…`, … as queries of their own. */
  children(name: string): readonly Query[] {
    const numbers = new Set<number>()
    const start = `${this.#prefix}${name}.`
    for (const key of this.#values.keys()) {
      if (key.startsWith(start)) numbers.add(Number.parseInt(key.slice(start.length), 10))
    }
    const sorted = [...numbers].toSorted((a, b) => a - b)
    return sorted.map((at) => new Query(this.#values, `${start}${String(at)}.`))
  }

  /** The first parameter whose name, numbers left out, is not among those known. */
  strange(known: ReadonlySet<string>): string | undefined {
    const plain = (key: string): string => key.replace(/\.\d+(?=\.|$)/g, '')
    return [...this.#values.keys()].find((key) => !known.has(plain(key)))
  }
}
