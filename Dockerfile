# The function as a container image: an alternative to the archive where 250 MB are too few. Not built by the tests.
#   docker build --build-arg PIP_EXTRA_INDEX_URL=<the index that pytorch.org names for CPU builds> -t carvae .
# docs/deploy.md says how serverless.yml takes it. It runs here, too, with Lambda's own emulator inside:
#   docker run -p 9000:8080 -v "$PWD/build/bundle:/bundle:ro" -e CARVAE_BUNDLE=/bundle carvae
FROM public.ecr.aws/lambda/python:3.13

ARG PIP_EXTRA_INDEX_URL=""
COPY deploy/requirements-torchscript.lock handler/requirements-torchscript.txt ./
# By its label, or the default index's CUDA build of several GB under the same number is taken.
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements-torchscript.lock \
 && pip install --no-cache-dir "$(grep '^torch==' requirements-torchscript.txt)+cpu"
COPY handler handler
COPY static/openapi.json static/openapi.json

CMD ["handler.lambda_entry.handler"]
