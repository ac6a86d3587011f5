# amd-llama2-70b for round v6.1, linux/amd64: a thin layer over AMD's own image. Rendered by mlperf-docker; any builder takes it.
# AMD's harness runs as root; what it wrote is given to the caller when it ends.
ARG BASE
FROM ${BASE}
# hadolint ignore=DL3002
USER 0
COPY build/ /opt/mlperf-docker/
RUN ["/bin/sh", "/opt/mlperf-docker/layer.sh", "amd-llama2-70b", "v6.1", "/lab-mlperf-inference/setup/runtime_tunables.sh"]
WORKDIR /lab-mlperf-inference/code
ENTRYPOINT []
CMD ["/bin/sh", "-c", "cat /opt/mlperf-docker/layer.txt"]
