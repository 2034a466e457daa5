/**
 * Ids of what a pass makes: `<epoch>-<n>`. The fence makes the epoch unique, the pass counts.
 */
export type IdMaker = { next(): string }

export function makeIds(epoch: number): IdMaker {
  let n = 0
  return {
    next: () => {
      n += 1
      return `${String(epoch)}-${String(n)}`
    },
  }
}
