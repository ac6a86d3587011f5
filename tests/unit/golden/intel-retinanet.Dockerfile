# intel-retinanet for round v4.1, linux/amd64: a thin layer over Intel's own image. Rendered by mlperf-docker; any builder takes it.
# Intel's scripts write into /workspace and run as root; what they wrote is given to the caller when they end.
ARG BASE
FROM ${BASE}
# hadolint ignore=DL3002
USER 0
COPY build/ /opt/mlperf-docker/
RUN ["/bin/sh", "/opt/mlperf-docker/layer.sh", "intel-retinanet", "v4.1", "/workspace/run_clean.sh"]
WORKDIR /workspace
ENTRYPOINT []
CMD ["/bin/sh", "-c", "cat /opt/mlperf-docker/layer.txt"]
