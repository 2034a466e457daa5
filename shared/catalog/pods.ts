/**
 * How many network addresses a size carries, which is how much memory its node keeps for itself.
 *
 * EC2 limits network interfaces and addresses by size, the usual kubelet reserves 11 MiB for each
 * pod that could have one, and allocatable.ts counts as it does. Families with the same limits
 * share a profile.
 */
export const podProfiles: Readonly<Record<string, string>> = {
  a: 'l:59 x,2x:118 4x:394 8x:492 12x:590 16x,24x:1010 32x,48x,64x,96x:1514',
  b: 'm:8 l:29 x,2x,3x:58 4x,6x,8x,9x,12x:234 16x,18x,24x,32x,48x:737',
  c: 'l:78 x,2x:118 4x,8x:394 12x:590 16x,24x,32x:1010 48x:1514 96x:758',
  d: 'm:8 l:59 x:78 2x:158 4x:314 8x:392 12x:758 16x,24x:1010 48x:1514',
  e: 'm:8 l:29 x,2x:58 4x:234 8x:292 12x:350 16x:786 24x:1178 48x:590',
  f: 'm:40 l:59 x,2x:118 4x:394 8x:492 12x:590 16x:1010 24x,48x:1514',
  g: 'l:29 x,2x:58 4x,8x,12x:234 16x,24x:737 32x:394',
  h: 'l:29 x,2x:58 4x,8x,12x:234 16x,32x:737 24x:437',
  i: 'l:29 x,2x,3x:58 6x:234 12x:394 18x,24x,48x:737',
  j: 'l:29 x,2x:58 3x:176 6x:292 12x:350 18x,24x:786 48x:1178',
  k: 'm:11 l,x:78 3x,6x:314 12x,24x:1010',
  l: 'x:10 2x:18 4x:38 6x:58 8x:78 12x:89',
  m: 'l:29 x,2x:58 3x,4x,6x,8x:234 12x:737',
  n: 'x:10 2x:18 4x:38 8x:59',
}
