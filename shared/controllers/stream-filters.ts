/**
 * Which changes of the table are worth an invocation, as patterns of Lambda's event filtering.
 *
 * They run before anything is invoked or paid for. The stack hands them to AWS and local mode
 * evaluates them itself, so both listen to the same changes.
 */
import { WAKING_KINDS } from './wake.ts'

export const STREAM_FILTERS = {
  wake: [
    { dynamodb: { NewImage: { kind: { S: WAKING_KINDS } } } },
    // An order that is withdrawn has no new image.
    { eventName: ['REMOVE'], dynamodb: { OldImage: { kind: { S: ['spec', 'order'] } } } },
  ],
  burnIn: [
    // A machine's first report names its GPUs: one that is known to be bad is refused at once.
    { eventName: ['INSERT'], dynamodb: { NewImage: { kind: { S: ['report'] } } } },
    {
      dynamodb: {
        NewImage: { kind: { S: ['report'] }, burnIn: { M: { state: { S: ['finished'] } } } },
      },
    },
  ],
} as const
