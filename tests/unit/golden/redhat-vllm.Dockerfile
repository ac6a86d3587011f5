# redhat-vllm for round v5.1, linux/amd64: a layer over the image of the vLLM project. Rendered by mlperf-docker; any builder takes it.
# The published clients as they are, the round's LoadGen, and what the clients and their scorers import.
ARG BASE
FROM ${BASE} AS sources
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/site.sh build/clone.sh /build/
RUN ["/bin/sh", "/build/clone.sh", "https://github.com/mlcommons/inference_results_v5.1", "965182b03376a00fcae415c54e560e1c83937932", "/opt/source/redhat", "", "closed/RedHat/code/llama3.1-8b"]

# hadolint ignore=DL3006
FROM ${BASE} AS packages
# hadolint ignore=DL3002
USER 0
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh"]

# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.source.redhat="965182b03376a00fcae415c54e560e1c83937932"
ENV HF_HUB_OFFLINE=1 \
    VLLM_NO_USAGE_STATS=1 \
    VLLM_WORKER_MULTIPROC_METHOD=spawn \
    PYTHONUNBUFFERED=1
COPY --from=packages /opt/harness /opt/harness
COPY --from=packages /opt/mlperf-docker /opt/mlperf-docker
COPY --from=sources /opt/source /opt/vendor
WORKDIR /
ENTRYPOINT []
CMD ["/bin/sh", "-c", "cat /opt/mlperf-docker/versions.txt"]
USER 65534:65534
