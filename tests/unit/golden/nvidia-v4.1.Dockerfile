# nvidia-v4.1 for round v4.1, linux/amd64: a layer over NVIDIA's own image. Rendered by mlperf-docker; any builder takes it.
# NVIDIA's tree and its installing scripts are those of its publication; licences of NVIDIA apply, so it is never pushed.
ARG BASE
FROM ${BASE} AS sources
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/clone.sh /build/
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference_results_v4.1", "198fc46799b3328b36ee4bcbdebfa2db5a8e6183", "/opt/source/nvidia", "", "closed/NVIDIA"]
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference", "379ee5345a25ee123fd5faec33285b6e8be0dadf", "/opt/source/inference", "", "loadgen", "mlperf.conf"]

# hadolint ignore=DL3006
FROM ${BASE} AS layer
USER 0
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY --from=sources /opt/source/nvidia/closed/NVIDIA /opt/mlperf-docker/nvidia/tree
COPY --from=sources /opt/source/inference /opt/mlperf-docker/nvidia/inference
COPY build/ /build/
ENV BUILD_CONTEXT=x86_64 \
    ENV=release \
    CUDA_VER=12.4 \
    INSTALL_RGAT_DEPS=0 \
    PIP_BREAK_SYSTEM_PACKAGES=1
RUN ["/bin/bash", "/build/install.sh", "v4.1", "", ""]

# Only what the installing changed, so that nothing of the site's network settings is in a layer.
# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.source.nvidia="198fc46799b3328b36ee4bcbdebfa2db5a8e6183"
LABEL mlperf-docker.source.inference="379ee5345a25ee123fd5faec33285b6e8be0dadf"
ENV BUILD_CONTEXT=x86_64 \
    ENV=release \
    CUDA_VER=12.4 \
    INSTALL_RGAT_DEPS=0 \
    PIP_BREAK_SYSTEM_PACKAGES=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 0
COPY --from=layer /delta/files/ /
COPY --from=layer /delta/gone /opt/mlperf-docker/nvidia/gone
COPY build/ /opt/mlperf-docker/nvidia/
RUN ["/bin/bash", "/opt/mlperf-docker/nvidia/finish.sh"]
WORKDIR /work
ENTRYPOINT []
CMD ["/bin/bash", "/opt/mlperf-docker/nvidia/step.sh", "versions"]
USER 65534:65534
