# cpp for round v6.1, linux/amd64. Rendered by mlperf-docker; any builder takes it.
ARG BASE
FROM ${BASE} AS toolchain
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY toolchain/ /toolchain/
RUN ["/bin/sh", "/toolchain/toolchain.sh"]

FROM toolchain AS loadgen
COPY build/ /build/
RUN ["/bin/sh", "/build/loadgen.sh"]

FROM loadgen AS harness
COPY harness/ /harness/
RUN ["/bin/sh", "/harness/harness.sh"]

FROM harness AS program
COPY program/ /program/
RUN ["/bin/sh", "/program/runtime.sh"]
RUN ["/bin/sh", "/program/build.sh", "onnxruntime"]

FROM ${BASE}
ENV PATH=/opt/mlperf-docker/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /
CMD ["mlperf-sut", "--version"]
COPY --from=program /opt/mlperf-docker /opt/mlperf-docker
