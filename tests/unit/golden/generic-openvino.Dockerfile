# generic-openvino for round v6.1, linux/amd64. Rendered by mlperf-docker; any builder takes it.
ARG BASE
FROM ${BASE} AS packages
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh"]

FROM ${BASE} AS code
LABEL mlperf-docker.stage="thrown away"
COPY build/compile.sh /build/compile.sh
COPY code/ /opt/mlperf-docker/
RUN ["/bin/sh", "/build/compile.sh"]

FROM ${BASE}
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/mlperf-docker \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /
CMD ["python", "--version"]
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/mlperf-docker /opt/mlperf-docker
COPY --from=code /opt/mlperf-docker /opt/mlperf-docker
