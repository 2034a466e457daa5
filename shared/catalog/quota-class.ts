/**
 * EC2's quotas of vCPUs: one for each class of instances and each way of buying, in a region.
 *
 * Standard are the families A, C, D, H, I, M, R, T and Z; G and VT share one, and every other
 * letter or accelerator has its own (spot P5 is counted apart from older P; here they are one). A
 * new account has none at all of some. (EC2 user guide, *Amazon EC2 instance type quotas*)
 */
const STANDARD = new Set(['a', 'c', 'd', 'h', 'i', 'm', 'r', 't', 'z'])
/** Families whose letters are a name of their own, with the class that they count in. */
const NAMED: Readonly<Record<string, string>> = {
  ...{ dl: 'dl', hpc: 'hpc', inf: 'inf', mac: 'mac', trn: 'trn', u: 'high-memory', vt: 'g' },
}

/** `standard` for `m7a.large`, `g` for `g4dn.xlarge` and `vt1.3xlarge`, `p` for `p5.48xlarge`. */
export function quotaClassOf(instanceType: string): string {
  const letters = /^[a-z]+/.exec(instanceType)?.[0] ?? ''
  const first = letters.slice(0, 1)
  return NAMED[letters] ?? (STANDARD.has(first) ? 'standard' : first)
}
