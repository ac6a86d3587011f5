# reference-deepseek-r1-sglang-cuda for round v6.1, linux/amd64. Rendered by mlperf-docker; any builder takes it.
# MLCommons' reference harness (deepseek-r1, sglang, cuda).
ARG BASE
FROM ${BASE} AS sources
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/clone.sh /build/
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference", "b66003e10e2db4b8c36a448b0545ec90fcc6e9e9", "/opt/source/inference", "language/deepseek-r1/submodules/LiveCodeBench language/deepseek-r1/submodules/prm800k", "language/deepseek-r1"]

FROM ${BASE} AS packages
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh", "inherit", "sglang", "torch"]

FROM ${BASE}
LABEL mlperf-docker.source.inference="b66003e10e2db4b8c36a448b0545ec90fcc6e9e9"
ENV PATH=/opt/venv/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/mlperf-docker/modules \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    USER=mlperf \
    LOGNAME=mlperf \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1
WORKDIR /
CMD ["python", "--version"]
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/mlperf-docker /opt/mlperf-docker
COPY --from=sources /opt/source/inference /opt/inference
COPY code/ /opt/mlperf-docker/
USER 65534:65534
