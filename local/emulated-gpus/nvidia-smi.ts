/**
 * `nvidia-smi` of an emulated instance: as much of it as burn-in asks for. A bad device has a row
 * of memory that could not be mapped away; what is to be made of that is the agent's affair.
 */
import { gpusHere, isBadNow, type EmulatedGpu } from './gpu.ts'

const DRIVER = '580.105.08'

const reasons = ['hw_slowdown', 'hw_thermal_slowdown', 'hw_power_brake_slowdown']
  .map((name) => `clocks_event_reason_${name}`)
  .map((name) => `<${name}>Not Active</${name}>`)
  .join('')

function gpuXml(gpu: EmulatedGpu): string {
  return `<gpu id="${gpu.bus}">
<product_name>${gpu.model}</product_name><uuid>${gpu.uuid}</uuid><serial>${gpu.serial}</serial>
<gpu_recovery_action>None</gpu_recovery_action>
<pci><pci_gpu_link_info><pcie_gen><current_link_gen>3</current_link_gen></pcie_gen>
<link_widths><current_link_width>16x</current_link_width></link_widths></pci_gpu_link_info>
<replay_counter>0</replay_counter></pci>
<clocks_event_reasons>${reasons}</clocks_event_reasons>
<fb_memory_usage><total>${String(gpu.memoryMib)} MiB</total></fb_memory_usage>
<ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode>
<ecc_errors><volatile><sram_uncorrectable>0</sram_uncorrectable>
<dram_uncorrectable>0</dram_uncorrectable></volatile></ecc_errors>
<remapped_rows><remapped_row_corr>0</remapped_row_corr><remapped_row_unc>0</remapped_row_unc>
<remapped_row_pending>No</remapped_row_pending>
<remapped_row_failure>${isBadNow(gpu) ? 'Yes' : 'No'}</remapped_row_failure></remapped_rows>
<temperature><gpu_temp>31 C</gpu_temp></temperature>
</gpu>`
}

function document(gpus: readonly EmulatedGpu[]): string {
  return `<?xml version="1.0" ?>
<nvidia_smi_log>
<driver_version>${DRIVER}</driver_version><attached_gpus>${String(gpus.length)}</attached_gpus>
${gpus.map(gpuXml).join('\n')}
</nvidia_smi_log>`
}

const gpus = gpusHere()
const asked = process.argv[2]
if (gpus.length === 0) {
  console.log('No devices were found')
  process.exitCode = 6
} else if (asked === '--gpu-reset') {
  for (const { bus } of gpus) console.log(`GPU ${bus} was successfully reset.`)
} else if (asked === 'nvlink') {
  gpus.forEach(({ model, uuid }, i) => {
    console.log(`GPU ${String(i)}: ${model} (UUID: ${uuid})`)
  })
} else console.log(document(gpus))
