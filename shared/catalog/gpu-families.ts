/**
 * The families with NVIDIA GPUs. Their sizes share no ratios, so each has a line of its own.
 *
 * A family: name, architecture, GPU model, mean spot price as a share of on-demand (`-`: not
 * known). A size: name, GiB, GPUs, pods, on-demand USD an hour, spot interruption bucket (`-`: not
 * known).
 */
export const gpuFamilies: Readonly<Record<string, readonly string[]>> = {
  'g4dn amd64 nvidia-t4 .440': [
    'xlarge 16 1 29 0.526 3',
    '2xlarge 32 1 29 0.752 4',
    '4xlarge 64 1 29 1.204 4',
    '8xlarge 128 1 58 2.176 4',
    '12xlarge 192 4 234 3.912 2',
    '16xlarge 256 1 58 4.352 4',
  ],
  'g5 amd64 nvidia-a10g .477': [
    'xlarge 16 1 58 1.006 4',
    '2xlarge 32 1 58 1.212 3',
    '4xlarge 64 1 234 1.624 2',
    '8xlarge 128 1 234 2.448 4',
    '12xlarge 192 4 737 5.672 4',
    '16xlarge 256 1 234 4.096 4',
    '24xlarge 384 4 737 8.144 4',
    '48xlarge 768 8 345 16.288 4',
  ],
  'g5g arm64 nvidia-t4g .451': [
    'xlarge 8 1 58 0.42 0',
    '2xlarge 16 1 58 0.556 1',
    '4xlarge 32 1 234 0.828 0',
    '8xlarge 64 1 234 1.372 2',
    '16xlarge 128 2 737 2.744 1',
  ],
  'g6 amd64 nvidia-l4 -': [
    'xlarge 16 1 58 0.8048 4',
    '2xlarge 32 1 58 0.9776 4',
    '4xlarge 64 1 234 1.3232 4',
    '8xlarge 128 1 234 2.0144 4',
    '12xlarge 192 4 234 4.6016 4',
    '16xlarge 256 1 737 3.3968 3',
    '24xlarge 384 4 737 6.6752 4',
    '48xlarge 768 8 737 13.3504 4',
  ],
  'g6e amd64 nvidia-l40s -': [
    'xlarge 32 1 58 1.861 1',
    '2xlarge 64 1 58 2.24208 2',
    '4xlarge 128 1 234 3.00424 4',
    '8xlarge 256 1 234 4.52856 4',
    '12xlarge 384 4 292 10.49264 4',
    '16xlarge 512 1 737 7.57719 3',
    '24xlarge 768 4 492 15.06559 4',
    '48xlarge 1536 8 492 30.13118 4',
  ],
  'g7 amd64 nvidia-rtx-pro-4500 -': [
    '2xlarge 32 1 254 2.52 -',
    '4xlarge 64 1 506 3.04208 -',
    '8xlarge 128 1 632 4.08624 -',
    '12xlarge 192 2 758 7.12832 -',
    '24xlarge 384 4 1514 14.25664 -',
    '48xlarge 768 8 758 28.51328 -',
  ],
  'g7e amd64 nvidia-rtx-pro-server-6000 -': [
    '2xlarge 64 1 254 3.36312 -',
    '4xlarge 128 1 506 3.99816 -',
    '8xlarge 256 1 506 5.26824 -',
    '12xlarge 512 2 632 8.28608 -',
    '24xlarge 1024 4 632 16.57216 -',
    '48xlarge 2048 8 632 33.14432 -',
  ],
  'gr6 amd64 nvidia-l4 -': ['4xlarge 128 1 234 1.5392 4', '8xlarge 256 1 234 2.4464 3'],
  'p4d amd64 nvidia-a100 .415': ['24xlarge 1152 8 737 21.957642 2'],
  'p4de amd64 nvidia-a100 -': ['24xlarge 1152 8 737 27.44705 0'],
  'p5 amd64 nvidia-h100 .591': ['4xlarge 256 1 118 6.88 -', '48xlarge 2048 8 100 55.04 4'],
  'p5en amd64 nvidia-h200 -': ['48xlarge 2048 8 198 63.296 0'],
  'p6-b200 amd64 nvidia-b200 -': ['48xlarge 2048 8 198 113.9328 -'],
  'p6-b300 amd64 nvidia-b300 -': ['48xlarge 4096 8 198 142.416 -'],
}
