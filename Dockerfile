# facezoo on the CPU: docker build --tag facezoo . && docker run --rm --volume "$PWD:/work" facezoo doctor
FROM python:3.12-slim-bookworm

# What OpenCV wants to be loaded, which MediaPipe brings.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libegl1 libgl1 libgles2 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

COPY . /source
ARG EXTRAS=align,explore,heif,landmarks
RUN pip install --no-cache-dir --constraint /source/constraints.txt "/source[$EXTRAS]" \
    && rm -rf /source

# Nobody's in particular, so that `docker run --user "$(id -u):$(id -g)"` writes as whoever starts it.
ENV HOME=/tmp/home FACEZOO_CACHE_DIR=/tmp/home/facezoo MPLCONFIGDIR=/tmp/home/matplotlib
RUN mkdir --parents --mode=1777 /tmp/home
WORKDIR /work
USER 1000:1000

ENTRYPOINT ["facezoo"]
CMD ["--help"]
