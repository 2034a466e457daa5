/**
 * A node's first steps: Node 24, the agent from S3, and systemd to keep it running.
 *
 * The script knows nothing of the node's name or work; the agent learns both from its assignment.
 * It is the same for every node, so it is also the same for a machine that is adopted.
 */
import { AGENT_ENTRY } from './bundle.ts'

export type NodeUserDataFacts = {
  /** `s3://bucket/key` of the agent's folder, zipped. */
  agentUrl: string
  region: string
  tableName: string
}

export function nodeUserData(facts: NodeUserDataFacts): string {
  return `#!/bin/bash
set -euo pipefail

# A mirror or S3 may be out of reach for a moment; the boot deadline ends what lasts.
try() {
  for pause in 2 5 10 20; do
    "$@" && return 0
    sleep "$pause"
  done
  "$@"
}

# The image comes with Amazon ECS's agent; Docker is all that is wanted of it.
systemctl mask ecs
# A restart of the engine must not end what runs in its containers.
install -d /etc/docker
[ -s /etc/docker/daemon.json ] || echo '{}' > /etc/docker/daemon.json
try dnf install -y jq
jq '."live-restore" = true' /etc/docker/daemon.json > /tmp/daemon.json
install -m 0644 /tmp/daemon.json /etc/docker/daemon.json
systemctl restart docker

try dnf install -y nodejs24 awscli-2 unzip
install -d -m 0700 /var/lib/drover
try aws s3 cp --region '${facts.region}' '${facts.agentUrl}' /tmp/drover-agent.zip
unzip -o -q /tmp/drover-agent.zip -d /opt/drover

${unitFile(facts)}
systemctl daemon-reload
systemctl enable --now drover-agent
`
}

/**
 * KillMode=process: the agent's own restart must not end the replicas it will adopt again. They
 * share its group of processes: one that is ended for want of memory must not end the agent
 * (OOMPolicy), nor may all of their threads together be held to what one service is (TasksMax).
 */
function unitFile(facts: NodeUserDataFacts): string {
  return `cat > /etc/systemd/system/drover-agent.service <<'UNIT'
[Unit]
Description=drover agent
After=network-online.target docker.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Environment=AWS_REGION=${facts.region}
Environment=DROVER_TABLE=${facts.tableName}
Environment=DROVER_AGENT_DIR=/var/lib/drover
ExecStart=/usr/bin/node-24 /opt/drover/${AGENT_ENTRY}
Restart=always
RestartSec=1
KillMode=process
OOMScoreAdjust=-900
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy=multi-user.target
UNIT
`
}
