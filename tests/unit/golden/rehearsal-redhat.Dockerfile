# rehearsal-redhat, linux/amd64: a stand-in for the image of the vLLM project and for Red Hat's clients, which only rehearses our driver. Rendered by mlperf-docker.
ARG BASE
# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.rehearsal="redhat: a stand-in with a server that answers nothing; no figure means anything"
COPY stand-in/ /opt/rehearsal/
RUN ["/bin/sh", "/opt/rehearsal/redhat/furnish.sh"]
WORKDIR /vllm-workspace
