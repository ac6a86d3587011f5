# gdb and strace over generic-tflite, linux/amd64: for looking inside, never for a result that counts. Rendered by mlperf-docker.
ARG BASE
FROM ${BASE} AS tools
USER 0
LABEL mlperf-docker.stage="thrown away"
COPY site/ /site/
COPY build/ /build/
RUN ["/bin/sh", "/build/fetch.sh"]

FROM ${BASE}
COPY --from=tools /tools/usr /usr
