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
    {
      dynamodb: {
        NewImage: { kind: { S: ['report'] }, burnIn: { M: { state: { S: ['finished'] } } } },
      },
    },
  ],
} as const
