/**
 * Whether a replica may be put on a node as it stands: there is room, and the node is of a sort
 * that its workload takes. Topology is not asked here: it depends on where the others are.
 */
import { LIMITS } from '../../model/limits.ts'
import { untolerated, type Demand } from '../demand.ts'
import { typeSuits } from '../provision/offers.ts'
import { demandKey, TEMPLATE_ROOM_BYTES, type Slot } from './board.ts'
import { deviceFit, hasFreeDevice } from './devices.ts'

export type Suitor = { readonly demand: Demand; readonly shunsGpus: boolean }

/** True when the slot has room for one replica of the demand and is of a sort it takes. */
export function slotSuits(slot: Slot, { demand, shunsGpus }: Suitor): boolean {
  const { spec } = demand.target.workload
  const { need } = demand
  return (
    need.cpuMilli <= slot.freeCpuMilli &&
    need.memoryMib <= slot.freeMemoryMib &&
    need.diskMib <= slot.freeDiskMib &&
    deviceFit(slot.freeDevices, need.gpuMilli) > 0 &&
    slot.runtimes.includes(demand.target.template.image === undefined ? 'process' : 'docker') &&
    slot.replicas < LIMITS.replicasPerNodeMax &&
    (slot.templates.has(demandKey(demand)) ||
      slot.templateBytes + demand.templateBytes <= TEMPLATE_ROOM_BYTES) &&
    (demand.capacity === 'any' || demand.capacity === slot.capacityType) &&
    (spec.placement.pools?.includes(slot.pool.name) ?? true) &&
    (spec.placement.zones === undefined ||
      slot.zones.every((zone) => spec.placement.zones?.includes(zone))) &&
    untolerated(slot.pool.spec, spec) === undefined &&
    !(shunsGpus && hasFreeDevice(slot.freeDevices)) &&
    isRightSort(slot, demand)
  )
}

/** True when every type the slot may turn out to be is of a sort that the demand takes. */
function isRightSort(slot: Slot, demand: Demand): boolean {
  const sortOnly = { ...demand, need: { ...demand.need, cpuMilli: 0, memoryMib: 0, diskMib: 0 } }
  return slot.types.every((type) => typeSuits(type, sortOnly))
}
