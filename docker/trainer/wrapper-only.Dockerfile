# Our code anew in a trainer image that is there: seconds, and no package is installed. Kernels that did not change
# stay compiled.
#
#   docker build -t ds3d-trainer:gpu --build-arg IMAGE=ds3d-trainer:gpu -f docker/trainer/wrapper-only.Dockerfile .
ARG IMAGE=ds3d-trainer:cpu
FROM ${IMAGE}
USER root
COPY ds3d_pipeline ds3d_pipeline
RUN python docker/whole_seconds.py ds3d_pipeline \
 && python -m compileall -q ds3d_pipeline \
 && python docker/trainer/warm.py \
 && chmod -R a+rwX "$NUMBA_CACHE_DIR"
USER nobody
