/**
 * One spelling for GPU models, so that a spec, the shipped catalogue and EC2's own answer agree.
 *
 * EC2 says `{Manufacturer: NVIDIA, Name: A10G}`; drover says `nvidia-a10g`.
 */
export function gpuModelName({
  manufacturer,
  name,
}: {
  manufacturer: string
  name: string
}): string {
  return `${manufacturer} ${name}`
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
}
