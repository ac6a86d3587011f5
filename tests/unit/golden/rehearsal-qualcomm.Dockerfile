# rehearsal-qualcomm for round v4.1, linux/amd64: a stand-in for KILT on a distribution's image, which only rehearses our driver. Rendered by mlperf-docker.
ARG BASE
# hadolint ignore=DL3006
FROM ${BASE} AS packages
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh"]

# hadolint ignore=DL3006
FROM ${BASE}
LABEL mlperf-docker.rehearsal="qualcomm: a stand-in with a system that answers nothing; no figure means anything"
COPY --from=packages /opt/venv /opt/venv
COPY stand-in/ /opt/rehearsal/
RUN ["/bin/sh", "/opt/rehearsal/qualcomm/furnish.sh"]
WORKDIR /
