# The function as a container image, where 250 MB are too few: npx sls deploy --stage dev --param=package=image builds it. It
# runs here, too, with Lambda's own emulator inside:
#   docker build --build-arg ENGINE=onnx-int8 -t carvae .
#   docker run -p 9000:8080 -v "$PWD/build/bundle:/bundle:ro" -e CARVAE_BUNDLE=/bundle carvae
ARG PYTHON=3.13
FROM public.ecr.aws/lambda/python:${PYTHON}

ARG ENGINE=onnx
ARG PIP_EXTRA_INDEX_URL=""
# Docker's name for the target architecture.
ARG TARGETARCH
WORKDIR /var/task
COPY deploy/requirements-*.lock handler/requirements-torchscript.txt ./
# On x86, PyTorch is selected by the label of its CPU builds, from the index that PIP_EXTRA_INDEX_URL names: the default
# index has CUDA builds of several GB under the same version.
RUN LOCKED="${ENGINE%-int8}" \
 && if [ "$LOCKED-$TARGETARCH" = torchscript-arm64 ]; then LOCKED=torchscript-arm64; fi \
 && pip install --no-cache-dir --no-deps --require-hashes -r "requirements-${LOCKED}.lock" \
 && if [ "$LOCKED" = torchscript ]; then \
      pip install --no-cache-dir --no-deps "$(grep '^torch==' requirements-torchscript.txt)+cpu"; fi
COPY handler handler
COPY static/openapi.json static/openapi.json

ENV CARVAE_ENGINE=${ENGINE}
CMD ["handler.lambda_entry.handler"]
