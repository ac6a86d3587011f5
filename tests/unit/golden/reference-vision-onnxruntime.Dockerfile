# reference-vision-onnxruntime for round v6.1, linux/amd64. Rendered by mlperf-docker; any builder takes it.
# MLCommons' reference harness (vision, onnxruntime, cpu).
ARG BASE
FROM ${BASE} AS sources
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/clone.sh /build/
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference", "b66003e10e2db4b8c36a448b0545ec90fcc6e9e9", "/opt/source/inference", "", "vision/classification_and_detection/python", "vision/classification_and_detection/tools"]

FROM ${BASE} AS packages
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh", "own", "onnxruntime", "cv2", "pycocotools"]

FROM ${BASE}
LABEL mlperf-docker.source.inference="b66003e10e2db4b8c36a448b0545ec90fcc6e9e9"
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/mlperf-docker/modules \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    USER=mlperf \
    LOGNAME=mlperf \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1
WORKDIR /
CMD ["python", "--version"]
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/mlperf-docker /opt/mlperf-docker
COPY --from=sources /opt/source/inference /opt/inference
COPY code/ /opt/mlperf-docker/
USER 65534:65534
