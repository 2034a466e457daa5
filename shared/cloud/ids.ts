/**
 * The ids port: fresh names for what outlives a pass and has no epoch of its own (a spec's uid, a
 * table's). What a pass makes is named `<epoch>-<n>` without it.
 */
export type Ids = {
  /** Never the same twice; lower-case letters and digits. */
  uid(): string
}
