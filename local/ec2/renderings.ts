/**
 * The world's things as EC2's XML names them.
 */
import type {
  Ec2Instance,
  Ec2State,
  FleetAnswer,
  FleetOverride,
} from '#shared/cloud/memory-ec2/types.ts'
import type { CapacityType, InstanceType } from '#shared/model/machine.ts'
import type { Xml } from './xml.ts'

export function fleetXml(answer: FleetAnswer, lifecycle: CapacityType): Xml {
  return {
    fleetId: answer.fleetId,
    errorSet: answer.errors.map(({ override, code, text }) => ({
      launchTemplateAndOverrides: echoXml(override),
      lifecycle,
      errorCode: code,
      errorMessage: text,
    })),
    fleetInstanceSet: answer.instances.map(({ instanceId, override }) => ({
      launchTemplateAndOverrides: echoXml(override),
      lifecycle,
      instanceIds: [instanceId],
      instanceType: override.instanceType,
      availabilityZone: override.zone,
    })),
  }
}

function echoXml(override: FleetOverride): Xml {
  return {
    launchTemplateSpecification: {
      launchTemplateId: override.launchTemplateId,
      version: override.launchTemplateVersion,
    },
    overrides: {
      instanceType: override.instanceType,
      availabilityZone: override.zone,
      subnetId: override.subnetId,
      imageId: override.imageId,
    },
  }
}

const STATE_CODES: Readonly<Record<Ec2State, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
}

export function stateXml(name: Ec2State): Xml {
  return { code: STATE_CODES[name], name }
}

export function reservationXml(account: string, instance: Ec2Instance): Xml {
  const { instanceId, instanceType, imageId, zone, subnetId, privateIp, tags } = instance
  return {
    reservationId: instanceId.replace('i-', 'r-'),
    ownerId: account,
    instancesSet: [
      {
        instanceId,
        imageId,
        instanceState: stateXml(instance.state),
        instanceType,
        launchTime: new Date(instance.launchedAtMs).toISOString(),
        placement: { availabilityZone: zone, tenancy: 'default' },
        subnetId,
        privateIpAddress: privateIp,
        instanceLifecycle: instance.capacityType === 'spot' ? 'spot' : undefined,
        tagSet: Object.entries(tags).map(([key, value]) => ({ key, value })),
      },
    ],
  }
}

export function typeXml(type: InstanceType): Xml {
  const [manufacturer = '', ...model] = (type.gpuModel ?? '').split('-')
  return {
    instanceType: type.name,
    currentGeneration: true,
    supportedUsageClasses: ['on-demand', 'spot'],
    bareMetal: false,
    burstablePerformanceSupported: false,
    processorInfo: {
      supportedArchitectures: [type.architecture === 'amd64' ? 'x86_64' : 'arm64'],
    },
    vCpuInfo: { defaultVCpus: type.vcpu },
    memoryInfo: { sizeInMiB: type.memoryMib },
    gpuInfo:
      type.gpuCount === 0
        ? undefined
        : { gpus: [{ name: model.join('-'), manufacturer, count: type.gpuCount }] },
  }
}
