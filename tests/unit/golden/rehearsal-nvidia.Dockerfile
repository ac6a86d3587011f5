# rehearsal-nvidia for round v5.1, linux/amd64: a stand-in for NVIDIA's base image and published tree, which only rehearses our driver. Rendered by mlperf-docker.
ARG BASE
# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.rehearsal="nvidia: a stand-in with a system that answers nothing; no figure means anything"
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY stand-in/ /opt/rehearsal/
RUN ["/bin/sh", "/opt/rehearsal/nvidia/furnish.sh", "v5.1"]
WORKDIR /work
