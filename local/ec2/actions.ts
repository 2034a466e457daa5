/**
 * EC2's actions, as far as drover uses them: parameters in, the world's verb, XML out.
 *
 * One row an action. The row names every parameter it understands and refuses any other, so that
 * the emulator never silently ignores what real EC2 would act upon.
 */
import type { MemoryEc2 } from '#shared/cloud/memory-ec2.ts'
import { isoSeconds } from '#shared/cloud/memory-ec2/events.ts'
import type {
  Ec2Answer,
  Filter,
  FleetOverride,
  FleetRequest,
  PageRequest,
  Refusal,
} from '#shared/cloud/memory-ec2/types.ts'
import type { Query } from './query.ts'
import { fleetXml, reservationXml, stateXml, typeXml } from './renderings.ts'
import type { Xml } from './xml.ts'

type Row = {
  /** Parameter names with their list numbers left out. */
  readonly parameters: readonly string[]
  readonly run: (world: MemoryEc2, query: Query) => Ec2Answer<Xml>
}

const COMMON = ['Action', 'Version']
const PAGED = ['MaxResults', 'NextToken']
const FILTERED = ['Filter.Name', 'Filter.Value']

const refused = (code: string, text: string): Refusal => ({
  answer: 'refused',
  code,
  text,
  httpStatus: 400,
})

function render<T>(answer: Ec2Answer<T>, toXml: (value: T) => Xml): Ec2Answer<Xml> {
  return answer.answer === 'done' ? { answer: 'done', value: toXml(answer.value) } : answer
}

const pageRequest = (query: Query): PageRequest => {
  const [maxResults, nextToken] = [query.number('MaxResults'), query.text('NextToken')]
  return {
    ...(maxResults === undefined ? {} : { maxResults }),
    ...(nextToken === undefined ? {} : { nextToken }),
  }
}

const filtersOf = (query: Query): readonly Filter[] =>
  query.children('Filter').map((own) => ({
    name: own.text('Name') ?? '',
    values: own.texts('Value') ?? [],
  }))

const named = (query: Query): { instanceIds?: readonly string[] } => {
  const instanceIds = query.texts('InstanceId')
  return instanceIds === undefined ? {} : { instanceIds }
}

const ACTIONS: Readonly<Record<string, Row>> = {
  CreateFleet: {
    parameters: [
      'Type',
      'ClientToken',
      'LaunchTemplateConfigs.LaunchTemplateSpecification.LaunchTemplateId',
      'LaunchTemplateConfigs.LaunchTemplateSpecification.Version',
      'LaunchTemplateConfigs.Overrides.InstanceType',
      'LaunchTemplateConfigs.Overrides.AvailabilityZone',
      'LaunchTemplateConfigs.Overrides.SubnetId',
      'LaunchTemplateConfigs.Overrides.ImageId',
      'LaunchTemplateConfigs.Overrides.BlockDeviceMapping.DeviceName',
      'LaunchTemplateConfigs.Overrides.BlockDeviceMapping.Ebs.DeleteOnTermination',
      'LaunchTemplateConfigs.Overrides.BlockDeviceMapping.Ebs.Encrypted',
      'LaunchTemplateConfigs.Overrides.BlockDeviceMapping.Ebs.VolumeSize',
      'LaunchTemplateConfigs.Overrides.BlockDeviceMapping.Ebs.VolumeType',
      'TargetCapacitySpecification.TotalTargetCapacity',
      'TargetCapacitySpecification.DefaultTargetCapacityType',
      'SpotOptions.AllocationStrategy',
      'OnDemandOptions.AllocationStrategy',
      'TagSpecification.ResourceType',
      'TagSpecification.Tag.Key',
      'TagSpecification.Tag.Value',
    ],
    run: createFleet,
  },
  TerminateInstances: {
    parameters: ['InstanceId'],
    run: (world, query) =>
      render(world.terminateInstances(query.texts('InstanceId') ?? []), (changes) => ({
        instancesSet: changes.map(({ instanceId, previous, current }) => ({
          instanceId,
          previousState: stateXml(previous),
          currentState: stateXml(current),
        })),
      })),
  },
  RebootInstances: {
    parameters: ['InstanceId'],
    run: (world, query) =>
      render(world.rebootInstances(query.texts('InstanceId') ?? []), () => ({ return: true })),
  },
  DescribeInstances: {
    parameters: ['InstanceId', ...FILTERED, ...PAGED],
    run: (world, query) => {
      const request = { ...named(query), ...pageRequest(query), filters: filtersOf(query) }
      const account = world.options.account
      return render(world.describeInstances(request), ({ items, next }) => ({
        reservationSet: items.map((instance) => reservationXml(account, instance)),
        nextToken: next,
      }))
    },
  },
  DescribeInstanceStatus: {
    parameters: ['InstanceId', 'IncludeAllInstances', ...PAGED],
    run: (world, query) => {
      const includeAll = query.text('IncludeAllInstances') === 'true'
      const request = { ...named(query), ...pageRequest(query), includeAll }
      return render(world.describeInstanceStatus(request), ({ items, next }) => ({
        instanceStatusSet: items.map(({ instance, status }) => ({
          instanceId: instance.instanceId,
          availabilityZone: instance.zone,
          instanceState: stateXml(instance.state),
          instanceStatus: { status },
          systemStatus: { status },
        })),
        nextToken: next,
      }))
    },
  },
  DescribeInstanceTypes: {
    parameters: ['InstanceType', ...FILTERED, ...PAGED],
    run: describeTypes,
  },
  DescribeInstanceTypeOfferings: {
    parameters: ['LocationType', ...PAGED],
    run: (world, query) => {
      if (query.text('LocationType') !== 'availability-zone') {
        return refused('InvalidParameterValue', 'LocationType must be availability-zone here')
      }
      return render(world.describeInstanceTypeOfferings(pageRequest(query)), ({ items, next }) => ({
        instanceTypeOfferingSet: items.map(({ instanceType, zone }) => ({
          instanceType,
          locationType: 'availability-zone',
          location: zone,
        })),
        nextToken: next,
      }))
    },
  },
  DescribeSpotPriceHistory: {
    parameters: ['ProductDescription', 'InstanceType', 'StartTime', 'EndTime', ...PAGED],
    run: describePrices,
  },
}

/** Does what the request asks; an action or parameter that is not emulated is refused. */
export function perform(world: MemoryEc2, query: Query): Ec2Answer<Xml> {
  const action = query.text('Action') ?? ''
  const row = ACTIONS[action]
  if (row === undefined) {
    return refused('InvalidAction', `The action ${action} is not valid for this web service.`)
  }
  const strange = query.strange(new Set([...COMMON, ...row.parameters]))
  if (strange !== undefined) {
    return refused('UnknownParameter', `The parameter ${strange} is not recognized`)
  }
  return row.run(world, query)
}

function createFleet(world: MemoryEc2, query: Query): Ec2Answer<Xml> {
  const request = fleetRequestOf(query)
  if ('answer' in request) return request
  const lifecycle = request.capacityType
  return render(world.createFleet(request), (answer) => fleetXml(answer, lifecycle))
}

function fleetRequestOf(query: Query): FleetRequest | Refusal {
  if (query.text('Type') !== 'instant') {
    return refused('InvalidParameterValue', 'This EC2 knows fleets of type instant alone.')
  }
  const capacityType = query.text('TargetCapacitySpecification.DefaultTargetCapacityType')
  if (capacityType !== 'spot' && capacityType !== 'on-demand') {
    return refused('MissingParameter', 'DefaultTargetCapacityType must be spot or on-demand.')
  }
  const options = capacityType === 'spot' ? 'SpotOptions' : 'OnDemandOptions'
  const overrides: FleetOverride[] = []
  for (const config of query.children('LaunchTemplateConfigs')) {
    for (const own of config.children('Overrides')) {
      const override = overrideOf(config, own)
      if (override === undefined) {
        return refused('MissingParameter', 'An override needs template, type and zone here.')
      }
      overrides.push(override)
    }
  }
  const token = query.text('ClientToken')
  return {
    ...(token === undefined ? {} : { token }),
    capacityType,
    strategy: query.text(`${options}.AllocationStrategy`) ?? '',
    count: query.number('TargetCapacitySpecification.TotalTargetCapacity') ?? 0,
    overrides,
    tags: instanceTagsOf(query),
  }
}

function overrideOf(config: Query, own: Query): FleetOverride | undefined {
  const launchTemplateId = config.text('LaunchTemplateSpecification.LaunchTemplateId')
  const launchTemplateVersion = config.text('LaunchTemplateSpecification.Version')
  const [instanceType, zone] = [own.text('InstanceType'), own.text('AvailabilityZone')]
  if (launchTemplateId === undefined || launchTemplateVersion === undefined) return undefined
  if (instanceType === undefined || zone === undefined) return undefined
  return {
    instanceType,
    zone,
    subnetId: own.text('SubnetId'),
    imageId: own.text('ImageId'),
    launchTemplateId,
    launchTemplateVersion,
  }
}

function instanceTagsOf(query: Query): Readonly<Record<string, string>> {
  const tags = query
    .children('TagSpecification')
    .filter((own) => own.text('ResourceType') === 'instance')
    .flatMap((own) => own.children('Tag'))
  return Object.fromEntries(tags.map((tag) => [tag.text('Key') ?? '', tag.text('Value') ?? '']))
}

/** Filters that say what every type of this world is. */
const TYPE_FILTERS: Readonly<Record<string, string>> = {
  'current-generation': 'true',
  'bare-metal': 'false',
  'burstable-performance-supported': 'false',
}

function describeTypes(world: MemoryEc2, query: Query): Ec2Answer<Xml> {
  for (const { name, values } of filtersOf(query)) {
    const own = TYPE_FILTERS[name]
    if (own === undefined || !values.includes(own)) {
      return refused('InvalidParameterValue', `The filter '${name}' is not emulated`)
    }
  }
  const instanceTypes = query.texts('InstanceType')
  const request = {
    ...pageRequest(query),
    ...(instanceTypes === undefined ? {} : { instanceTypes }),
  }
  return render(world.describeInstanceTypes(request), ({ items, next }) => ({
    instanceTypeSet: items.map(typeXml),
    nextToken: next,
  }))
}

function describePrices(world: MemoryEc2, query: Query): Ec2Answer<Xml> {
  const startMs = Date.parse(query.text('StartTime') ?? '')
  const instanceTypes = query.texts('InstanceType')
  const request = {
    ...pageRequest(query),
    ...(Number.isNaN(startMs) ? {} : { startMs }),
    ...(instanceTypes === undefined ? {} : { instanceTypes }),
  }
  return render(world.describeSpotPriceHistory(request), ({ items, next }) => ({
    spotPriceHistorySet: items.map(({ instanceType, zone, priceUsdPerHour, atMs }) => ({
      instanceType,
      productDescription: 'Linux/UNIX',
      spotPrice: priceUsdPerHour.toFixed(6),
      timestamp: isoSeconds(atMs),
      availabilityZone: zone,
    })),
    nextToken: next,
  }))
}
