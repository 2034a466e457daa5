/**
 * Which of EC2's types drover buys: the current generation, sold whole, with NVIDIA's GPUs or none.
 *
 * The shipped catalogue was picked by these rules, and types that EC2 adds later are held to them
 * too: an accelerator nobody can ask for in a spec would only look like an odd, dear CPU machine.
 */
const FAMILIES_LEFT_OUT: ReadonlySet<string> = new Set([
  // Earlier generations, dearer for the same work.
  ...['a1', 'c1', 'c3', 'c4', 'm1', 'm2', 'm3', 'm4', 'r3', 'r4', 'i2', 'i3', 'd2', 'h1'],
  ...['x1', 'x1e', 'z1d', 'g2', 'g3', 'g3s', 'p2', 'p3', 'p3dn'],
  // Accelerators that are no NVIDIA GPU.
  ...['g4ad', 'trn1', 'trn1n', 'trn2', 'vt1', 'dl1', 'dl2q', 'f1', 'f2'],
  // Parts of a GPU.
  ...['g6f', 'gr6f'],
])

/** Inferentia, high-memory, HPC, macOS, and what does not sustain its CPUs: `t3`, `-flex`. */
const SORTS_LEFT_OUT = /^(inf|trn|u-|u\d|hpc|mac|t\d)|-flex$/

const GPU_MAKER = 'nvidia-'

export type Candidate = {
  readonly name: string
  readonly family: string
  readonly gpuModel?: string
}

export function isBought({ name, family, gpuModel }: Candidate): boolean {
  if (FAMILIES_LEFT_OUT.has(family) || SORTS_LEFT_OUT.test(family)) return false
  if (name.includes('metal')) return false
  return gpuModel === undefined || gpuModel.startsWith(GPU_MAKER)
}
