# qualcomm-kilt for round v4.1, linux/amd64: KILT over Qualcomm's SDKs. Rendered by mlperf-docker; any builder takes it.
# The archives reach a stage that is thrown away; what they install is under Qualcomm's licence, so it is never pushed.
ARG BASE
FROM ${BASE} AS sources
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/clone.sh /build/
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/GATEOverflow/kilt-mlperf", "f410c47426189c7df3663fcb81f797d02e450cc1", "/opt/source/kilt", ""]
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference", "379ee5345a25ee123fd5faec33285b6e8be0dadf", "/opt/source/inference", "", "loadgen", "mlperf.conf", "vision/classification_and_detection/tools", "language/bert"]
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/protocolbuffers/protobuf", "v3.11.4", "/opt/source/protobuf", "", "cmake", "src"]

# hadolint ignore=DL3006
FROM ${BASE} AS toolchain
USER 0
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/toolchain.sh /build/
RUN ["/bin/sh", "/build/toolchain.sh"]

FROM toolchain AS sdk
COPY sdk/qaic-apps/ /sdk/qaic-apps/
COPY sdk/qaic-platform/ /sdk/qaic-platform/
COPY build/sdk.sh /build/
RUN ["/bin/sh", "/build/sdk.sh", "x86_64"]

FROM toolchain AS program
COPY --from=sdk /opt/qti-aic /opt/qti-aic
COPY --from=sources /opt/source /opt/source
COPY build/ /build/
RUN ["/bin/sh", "/build/build.sh", "/opt/source", "/opt/kilt", "/opt/qti-aic", "QAIC"]
RUN ["/bin/sh", "/build/finish.sh"]

# hadolint ignore=DL3006
FROM ${BASE} AS runtime
# hadolint ignore=DL3002
USER 0
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/runtime.sh /build/
RUN ["/bin/sh", "/build/runtime.sh"]

# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.source.kilt="f410c47426189c7df3663fcb81f797d02e450cc1"
LABEL mlperf-docker.source.inference="379ee5345a25ee123fd5faec33285b6e8be0dadf"
LABEL mlperf-docker.source.protobuf="v3.11.4"
ENV PATH=/opt/qti-aic/tools:/opt/qti-aic/exec:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LD_LIBRARY_PATH=/opt/qti-aic/dev/lib/x86_64
COPY --from=runtime /delta/ /
COPY --from=sdk /opt/qti-aic /opt/qti-aic
COPY --from=program /opt/kilt /opt/kilt
COPY --from=program /opt/harness /opt/harness
COPY --from=program /opt/mlperf-docker /opt/mlperf-docker
WORKDIR /
ENTRYPOINT []
CMD ["/bin/sh", "-c", "cat /opt/mlperf-docker/versions.txt"]
USER 65534:65534
