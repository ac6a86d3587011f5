# rehearsal-amd for round v6.1, linux/amd64: a stand-in for AMD's images, which only rehearses our driver. Rendered by mlperf-docker.
ARG BASE
FROM ${BASE} AS packages
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/install.sh"]

FROM ${BASE}
LABEL mlperf-docker.rehearsal="amd: a stand-in with a system that answers nothing; no figure means anything"
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --from=packages /opt/venv /opt/venv
COPY stand-in/ /opt/rehearsal/
RUN ["/bin/sh", "/opt/rehearsal/amd/furnish.sh"]
WORKDIR /lab-mlperf-inference/code
