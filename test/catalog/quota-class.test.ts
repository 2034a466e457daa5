import { describe, expect, it } from 'vitest'
import { quotaClassOf } from '#shared/catalog/quota-class.ts'

describe('the class in which a type counts against a quota', () => {
  it.each([
    ['m7a.large', 'standard'],
    ['c8gn.48xlarge', 'standard'],
    ['im4gn.large', 'standard'],
    ['t4g.nano', 'standard'],
    ['z1d.large', 'standard'],
    ['g4dn.xlarge', 'g'],
    ['gr6.4xlarge', 'g'],
    ['vt1.3xlarge', 'g'],
    ['p5.48xlarge', 'p'],
    ['inf2.xlarge', 'inf'],
    ['trn1.2xlarge', 'trn'],
    ['dl1.24xlarge', 'dl'],
    ['f1.2xlarge', 'f'],
    ['x2idn.16xlarge', 'x'],
    ['u-6tb1.56xlarge', 'high-memory'],
    ['u7i-12tb.224xlarge', 'high-memory'],
    ['hpc7a.12xlarge', 'hpc'],
  ])('of %s is %s', (type, own) => {
    expect(quotaClassOf(type)).toBe(own)
  })
})
