# reference-server-vllm, linux/amd64: a server of tokens behind a reference harness. Rendered by mlperf-docker.
ARG BASE
FROM ${BASE}
ENV HOME=/tmp \
    USER=mlperf \
    LOGNAME=mlperf \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1
ENTRYPOINT []
CMD ["python3", "--version"]
USER 65534:65534
