/**
 * A launch in EC2's words, there and back.
 *
 * The way there is a pure function of the request, in the order the request has: a stored request
 * sent again is the same call byte for byte, which is what its client token demands. On the way
 * back an answer that leaves anything open (an instance without a zone) counts as unread.
 */
import type {
  CreateFleetCommandInput,
  CreateFleetCommandOutput,
  FleetLaunchTemplateConfigRequest,
  FleetLaunchTemplateOverridesRequest,
  LaunchTemplateAndOverridesResponse,
  Tag,
  _InstanceType,
} from '@aws-sdk/client-ec2'
import { byKey, groupBy } from '../../base/order.ts'
import type { LaunchRequest } from '../../model/launch.ts'
import { launchAnswer } from '../fleet-outcome.ts'
import type { LaunchedInstance, LaunchError, LaunchOutcome } from '../fleet.ts'

type Override = LaunchRequest['overrides'][number]

export function createFleetInput(request: LaunchRequest): CreateFleetCommandInput {
  const spot = request.capacityType === 'spot'
  const tags = tagsOf(request.tags)
  return {
    Type: 'instant',
    ClientToken: request.token,
    LaunchTemplateConfigs: configsOf(request.overrides),
    TargetCapacitySpecification: {
      TotalTargetCapacity: request.count,
      DefaultTargetCapacityType: request.capacityType,
    },
    ...(spot
      ? { SpotOptions: { AllocationStrategy: 'price-capacity-optimized' as const } }
      : { OnDemandOptions: { AllocationStrategy: 'lowest-price' as const } }),
    TagSpecifications: [
      { ResourceType: 'instance', Tags: tags },
      { ResourceType: 'fleet', Tags: tags },
    ],
  }
}

function tagsOf(tags: Readonly<Record<string, string>>): Tag[] {
  const entries = Object.entries(tags).toSorted(byKey(([key]) => key))
  return entries.map(([Key, Value]) => ({ Key, Value }))
}

/** One config a launch template and version; EC2 takes 50, drover's pools need three. */
function configsOf(overrides: readonly Override[]): FleetLaunchTemplateConfigRequest[] {
  const template = (own: Override): string => `${own.launchTemplateId}/${own.launchTemplateVersion}`
  return [...groupBy(overrides, template).values()].map((group) => ({
    LaunchTemplateSpecification: {
      LaunchTemplateId: group[0]?.launchTemplateId,
      Version: group[0]?.launchTemplateVersion,
    },
    Overrides: group.map((own) => ({
      InstanceType: own.instanceType as _InstanceType,
      AvailabilityZone: own.zone,
      ...(own.subnetId === undefined ? {} : { SubnetId: own.subnetId }),
      ...(own.imageId === undefined ? {} : { ImageId: own.imageId }),
      ...(own.rootVolumeGib === undefined ? {} : rootVolume(own.rootVolumeGib)),
    })),
  }))
}

/** As the launch templates have it, but for its size: an override takes the place of all of it. */
function rootVolume(
  gib: number,
): Required<Pick<FleetLaunchTemplateOverridesRequest, 'BlockDeviceMappings'>> {
  const Ebs = {
    ...{ VolumeSize: gib, VolumeType: 'gp3' as const },
    ...{ Encrypted: true, DeleteOnTermination: true },
  }
  return { BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs }] }
}

export function launchOutcome(output: CreateFleetCommandOutput): LaunchOutcome {
  const instances: LaunchedInstance[] = []
  for (const entry of output.Instances ?? []) {
    const override = overrideOf(entry.LaunchTemplateAndOverrides)
    const instanceType = entry.InstanceType ?? override.instanceType
    const zone = entry.AvailabilityZone ?? override.zone
    if (instanceType === undefined || zone === undefined) {
      const ids = (entry.InstanceIds ?? []).join(', ')
      return { outcome: 'unknown', text: `EC2 named no type or zone of ${ids}` }
    }
    instances.push(
      ...(entry.InstanceIds ?? []).map((instanceId) => ({ instanceId, instanceType, zone })),
    )
  }
  const errors = (output.Errors ?? []).map((error): LaunchError => ({
    ...overrideOf(error.LaunchTemplateAndOverrides),
    code: error.ErrorCode ?? 'Unknown',
    text: error.ErrorMessage ?? '',
  }))
  return launchAnswer({ instances, errors })
}

function overrideOf(echo: LaunchTemplateAndOverridesResponse | undefined): {
  instanceType?: string
  zone?: string
} {
  const { InstanceType, AvailabilityZone } = echo?.Overrides ?? {}
  return {
    ...(InstanceType === undefined ? {} : { instanceType: InstanceType }),
    ...(AvailabilityZone === undefined ? {} : { zone: AvailabilityZone }),
  }
}
